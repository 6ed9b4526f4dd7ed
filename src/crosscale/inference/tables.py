"""Result tables as CSV, Parquet or JSON, by the file's ending; written whole or not at all."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from crosscale.errors import CrosscaleError
from crosscale.utils.files import atomic_path

ENDINGS = (".csv", ".parquet", ".json")


def check_ending(path: Path, endings: Sequence[str] = ENDINGS) -> str:
    """The ending that tells a file's form; another one is refused before anything is computed.

    Raises:
        CrosscaleError: naming the endings that there are.
    """
    ending = path.suffix.lower()
    if ending not in endings:
        raise CrosscaleError(f"{path}: end the name with {' or '.join(endings)} to say its form")
    if path.is_dir():
        raise CrosscaleError(f"{path} is a folder; name a file")
    return ending


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table in the form that the file's ending says; JSON as a list of rows.

    Raises:
        CrosscaleError: when the ending is another one, or the file cannot be written.
    """
    ending = check_ending(path)
    with atomic_path(path) as temporary:
        if ending == ".csv":
            pyarrow.csv.write_csv(table, temporary)
        elif ending == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
        else:
            text = json.dumps(table.to_pylist(), indent=1, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
