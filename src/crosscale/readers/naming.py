"""What a recording's folder, its file name or a table says of it: label, subject, camera ..."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError, nearest
from crosscale.readers.base import Item, Reader, fitted
from crosscale.skeleton.layout import Layout

WORDS = ("label", "part")
NUMBERS = ("subject", "camera", "setup", "repetition")
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
        if self.folder:
            for item in items:
                if "/" not in item.name and item.path.parent in (source, source.parent):
                    raise CrosscaleError(
                        f"{item.path} lies in no folder below {source} that could name its label"
                    )
        if self.table is None:
            return
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
        found: dict[str, Any] = {"label": _folder(item)} if self.folder else {}
        if self.pattern is not None:
            match = _compiled(self.pattern).search(item.name)
            if match is None:
                raise BadClip(f"{item.name}: the name does not fit the pattern {self.pattern}")
            groups = {key: text for key, text in match.groupdict().items() if text is not None}
            found |= {key: _value(key, text, item.name) for key, text in groups.items()}
        if self.table is not None:
            found |= read_naming_table(self.table).get(item.name, {})
        return found


@dataclass(frozen=True)
class Named:
    """A reader whose clips are named by `naming` where their files say nothing or otherwise."""

    reader: Reader
    naming: Naming

    @property
    def name(self) -> str:
        """Kind of data set."""
        return self.reader.name

    @property
    def layout(self) -> str | Layout:
        """The reader's."""
        return self.reader.layout

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Those that the clips have, since labels are given anew."""
        return None

    def for_source(self, source: Path) -> "Named":
        """The same with the reader for this source.

        Raises:
            CrosscaleError: as the reader.
        """
        return replace(self, reader=fitted(self.reader, source))

    def find(self, source: Path) -> list[Item]:
        """The reader's, checked against the table.

        Raises:
            CrosscaleError: as the reader, or for a table that names other clips.
        """
        items = self.reader.find(source)
        self.naming.check(items, source)
        return items

    def read(self, item: Item) -> Clip:
        """The reader's clip with what is told of it.

        Raises:
            BadClip: as the reader, or for a name that does not fit the pattern.
        """
        told = self.naming.told(item)
        return replace(self.reader.read(item), **told)


def _folder(item: Item) -> str:
    return PurePosixPath(item.name).parent.name or item.path.parent.name


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CrosscaleError(f"pattern {pattern}: {error}") from None
    known = (*WORDS, *NUMBERS)
    if not compiled.groupindex:
        raise CrosscaleError(f"pattern {pattern} has no named group, such as (?P<label>[a-z]+)")
    for group in compiled.groupindex:
        if group not in known:
            raise CrosscaleError(f"pattern {pattern}: no field '{group}': {nearest(group, known)}")
    return compiled


@lru_cache(maxsize=2)
def read_naming_table(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Clip name to fields, of a table."""
    columns = _read(path)
    if NAME not in columns:
        raise CrosscaleError(f"{path} needs a column {NAME}; it has {', '.join(columns)}")
    known = (NAME, *WORDS, *NUMBERS)
    for column in columns:
        if column not in known:
            raise CrosscaleError(f"{path}: no field '{column}': {nearest(column, known)}")
    rows: dict[str, dict[str, Any]] = {}
    fields = [column for column in columns if column != NAME]
    for line, name in enumerate(columns[NAME], start=2):
        if not name or name in rows:
            what = f"names {name} a second time" if name else "has no name"
            raise CrosscaleError(f"{path}: row {line} {what}")
        given = {field: columns[field][line - 2] for field in fields}
        rows[name] = {
            field: _value(field, text, f"{path}, row {line}")
            for field, text in given.items()
            if text
        }
    return rows


def _read(path: Path) -> dict[str, list[str]]:
    """Columns of texts, empty where a cell is."""
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            cells = {name: table.column(name).to_pylist() for name in table.column_names}
            return {
                name: ["" if value is None else str(value) for value in column]
                for name, column in cells.items()
            }
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, restkey="")
            rows = list(lines)
            columns = lines.fieldnames or ()
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CrosscaleError(f"{path} cannot be read as a table: {reason}") from None
    for line, row in enumerate(rows, start=2):
        if "" in row or None in row.values():
            raise CrosscaleError(f"{path}: row {line} does not have {len(columns)} cells")
    return {name: [row[name].strip() for row in rows] for name in columns}


def _value(field: str, text: str, where: str) -> str | int:
    if field in WORDS:
        return text
    if not text.isdecimal():
        raise BadClip(f"{where}: {field} must be a whole number, not '{text}'")
    return int(text)
