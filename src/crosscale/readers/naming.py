"""What a recording's folder, its file name or a table says of it: label, subject, camera ..."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crosscale.errors import BadClip, CrosscaleError, nearest
from crosscale.readers.base import Item

WORDS = ("label", "part")
FIELDS = (*WORDS, "subject", "camera", "setup", "repetition")
NAME = "name"


@dataclass(frozen=True)
class Naming:
    """Where to learn of a recording what its file does not hold.

    Later ones win: folder, then pattern, then table.

    Attributes:
        folder: the label is the name of the folder that the clip lies in, below the source.
        pattern: a regular expression, searched in the clip's name, with named groups out of
            label, subject, camera, setup, repetition and part, such as
            `(?P<label>[a-z]+)_(?P<subject>[0-9]+)`.
        table: a CSV or Parquet file with a column `name` and some of the same columns; clips that
            it does not name stay without.
    """

    folder: bool = False
    pattern: str | None = None
    table: Path | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None:
            _compiled(self.pattern)

    def check(self, items: list[Item], source: Path) -> None:
        """See that folders and table speak of these recordings.

        Raises:
            CrosscaleError: naming a clip that lies in no folder, or one of the table that is not
                there.
        """
        for item in items if self.folder else ():
            if "/" not in item.name and item.path.parent in (source, source.parent):
                raise CrosscaleError(
                    f"{item.path} lies in no folder below {source} that could name its label"
                )
        if self.table is not None:
            names = {item.name for item in items}
            strange = [name for name in read_naming_table(self.table) if name not in names]
            if strange:
                raise CrosscaleError(
                    f"{self.table} names {len(strange)} clips that are not there, first "
                    f"'{strange[0]}': {nearest(strange[0], names)}"
                )

    def told(self, item: Item) -> dict[str, Any]:
        """Fields of the clip that the folder, the name and the table tell.

        Raises:
            BadClip: when the name does not fit the pattern.
        """
        found: dict[str, Any] = {}
        if self.folder:
            found["label"] = PurePosixPath(item.name).parent.name or item.path.parent.name
        if self.pattern is not None:
            match = _compiled(self.pattern).search(item.name)
            if match is None:
                raise BadClip(f"{item.name}: the name does not fit the pattern {self.pattern}")
            found |= _values(match.groupdict(), item.name)
        if self.table is not None:
            found |= read_naming_table(self.table).get(item.name, {})
        return found


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CrosscaleError(f"pattern {pattern}: {error}") from None
    if not compiled.groupindex:
        raise CrosscaleError(f"pattern {pattern} has no named group, such as (?P<label>[a-z]+)")
    _refuse_unknown(compiled.groupindex, FIELDS, f"pattern {pattern}")
    return compiled


@lru_cache(maxsize=2)
def read_naming_table(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Clip name to fields, of a table.

    Raises:
        CrosscaleError: naming the row and what is wrong in it.
    """
    columns, rows = _read(path)
    if NAME not in columns:
        raise CrosscaleError(f"{path} needs a column {NAME}; it has {', '.join(columns)}")
    _refuse_unknown(columns, (NAME, *FIELDS), str(path))
    found: dict[str, dict[str, Any]] = {}
    for line, row in enumerate(rows, start=2):
        name = row.pop(NAME)
        if not name or name in found:
            what = f"names {name} a second time" if name else "has no name"
            raise CrosscaleError(f"{path}: row {line} {what}")
        found[name] = _values(row, f"{path}, row {line}")
    return found


def _refuse_unknown(given: Iterable[str], known: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in known:
            raise CrosscaleError(f"{where}: no field '{name}': {nearest(name, known)}")


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Names of columns, and rows of texts, empty where a cell is."""
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            texts = [
                {name: "" if value is None else str(value) for name, value in row.items()}
                for row in table.to_pylist()
            ]
            return table.column_names, texts
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, restkey="")
            rows = list(lines)
            columns = list(lines.fieldnames or ())
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CrosscaleError(f"{path} cannot be read as a table: {reason}") from None
    for line, row in enumerate(rows, start=2):
        if "" in row or None in row.values():
            raise CrosscaleError(f"{path}: row {line} does not have {len(columns)} cells")
    return columns, [{name: text.strip() for name, text in row.items()} for row in rows]


def _values(texts: Mapping[str, str | None], where: str) -> dict[str, str | int]:
    """Fields whose text is not empty."""
    found: dict[str, str | int] = {}
    for field, text in texts.items():
        if text and field not in WORDS and not text.isdecimal():
            raise BadClip(f"{where}: {field} must be a whole number, not '{text}'")
        if text:
            found[field] = text if field in WORDS else int(text)
    return found
