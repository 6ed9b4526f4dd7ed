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
from crosscale.utils.text import shown

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

    A CSV file of two columns may be without a line of names: it has clip and label then.

    Raises:
        CrosscaleError: naming the row and what is wrong in it.
    """
    columns, rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if NAME not in columns:
        raise CrosscaleError(
            f"{path} needs a column {NAME}; it has {shown(', '.join(columns), 200)}"
        )
    _refuse_unknown(columns, (NAME, *FIELDS), str(path))
    found: dict[str, dict[str, Any]] = {}
    for line, cells in rows:
        row = dict(zip(columns, cells, strict=True))
        name = row.pop(NAME)
        values = _values(row, f"{path}, row {line}")
        if not name or found.setdefault(name, values) != values:
            what = f"names {shown(name)} a second time" if name else "has no name"
            raise CrosscaleError(f"{path}: row {line} {what}")
    return found


def _refuse_unknown(given: Iterable[str], known: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in known:
            raise CrosscaleError(f"{where}: no field '{shown(name)}': {nearest(name, known)}")


Table = tuple[list[str], list[tuple[int, list[str]]]]  # names of columns, numbered rows of texts


def _parquet(path: Path) -> Table:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise _no_table(path, error) from None
    cells = [
        ["" if value is None else str(value) for value in c.to_pylist()] for c in table.columns
    ]
    return table.column_names, list(enumerate(map(list, zip(*cells, strict=True)), 2))


def _csv(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            read = [(i, [c.strip() for c in row]) for i, row in enumerate(csv.reader(file), 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _no_table(path, error) from None
    rows = [(line, cells) for line, cells in read if any(cells)]
    columns = rows.pop(0)[1] if rows else []
    if NAME not in columns and len(columns) == 2:
        rows = rows if columns[1] == "label" else [(1, columns), *rows]
        columns = [NAME, "label"]
    for line, cells in rows:
        if len(cells) != len(columns):
            raise CrosscaleError(f"{path}: row {line} does not have {len(columns)} cells")
    return columns, rows


def _no_table(path: Path, error: Exception) -> CrosscaleError:
    reason = getattr(error, "strerror", None) or error
    return CrosscaleError(f"{path} cannot be read as a table: {reason}")


def _values(texts: Mapping[str, str | None], where: str) -> dict[str, str | int]:
    """Fields whose text is not empty."""
    found: dict[str, str | int] = {}
    for field, text in texts.items():
        if text and field not in WORDS and not text.isdecimal():
            raise BadClip(f"{where}: {field} must be a whole number, not '{shown(text)}'")
        if text:
            found[field] = text if field in WORDS else int(text)
    return found
