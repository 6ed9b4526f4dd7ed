"""What a recording's folder, its file name or a table says of it: label, subject, camera ..."""

import codecs
import csv
import io
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
from crosscale.utils.text import composed, counted, shown

# Of recordings, which tables of files name too.
ENDING = re.compile(
    r"\.(npz|npy|skeleton|bvh|c3d|trc|csv|tsv|txt|jsonl?|h5|hdf5|mat|pkl|parquet|mp4|mov|avi|mkv|webm)"
    r"(\.gz)?$",
    re.IGNORECASE,
)
WORDS = ("label", "part")
FIELDS = (*WORDS, "subject", "camera", "setup", "repetition")
NAME = "name"
DIGITS = 9  # of a number; more are a damaged table


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

    def rows(self, items: list[Item], source: Path) -> Mapping[str, Mapping[str, Any]]:
        """What the table tells, by the names of these recordings.

        Raises:
            CrosscaleError: when no recording lies in a folder that could name its label, or the
                table names one that is not there.
        """
        if self.folder and all(_is_loose(item, source) for item in items):
            raise CrosscaleError(_in_no_folder(items[0], source))
        if self.table is None:
            return {}
        return rows_by_clip(self.table, [item.name for item in items])

    def told(
        self, item: Item, source: Path, rows: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Fields of the clip that the folder, the name and the table tell.

        Args:
            item: the recording.
            source: where all of them are.
            rows: of the table, see `rows`.

        Raises:
            BadClip: when it lies in no folder, or the name does not fit the pattern.
        """
        found: dict[str, Any] = {}
        if self.folder:
            if _is_loose(item, source):
                raise BadClip(_in_no_folder(item, source))
            found["label"] = PurePosixPath(item.name).parent.name or item.path.parent.name
        if self.pattern is not None:
            match = _compiled(self.pattern).search(composed(item.name))
            if match is None:
                raise BadClip(f"{item.name}: the name does not fit the pattern {self.pattern}")
            found |= _values(match.groupdict(), item.name)
        return found | dict(rows.get(item.name, {}))


def _is_loose(item: Item, source: Path) -> bool:
    return "/" not in item.name and item.path.parent in (source, source.parent)


def _in_no_folder(item: Item, source: Path) -> str:
    return f"{item.path} lies in no folder below {source} that could name its label"


def rows_by_clip(table: Path, clips: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Fields by the names of clips, which a table may write with the endings of their files.

    Raises:
        CrosscaleError: when it names a clip that is not there, with what may be the cause.
    """
    known = {composed(name): name for name in clips}
    found: dict[str, Mapping[str, Any]] = {}
    strange = []
    for name, fields in read_naming_table(table).items():
        clip = known.get(name) or known.get(ENDING.sub("", name))
        if clip is None:
            strange.append(name)
        elif found.setdefault(clip, fields) != fields:
            raise CrosscaleError(f"{table} names {shown(name)} a second time, without its ending")
    if strange:
        raise CrosscaleError(
            f"{table} names {counted(len(strange), 'clip')} not to be found; mend such rows, or "
            f"take them out. First '{shown(strange[0])}': {_hint(strange[0], known)}"
        )
    return found


def _hint(name: str, known: Iterable[str]) -> str:
    """The clips that may be meant."""
    full = next(
        (clip for clip in known if clip != name and clip.lstrip("0") == name.lstrip("0")), ""
    )
    if not full or not name.isdecimal():
        return nearest(name, known)
    return (
        f"there is '{full}'; spreadsheets take zeros away in front: format the column of names as "
        "text and write them anew"
    )


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

    A CSV file of two columns may be without a line of names: it has clip and label then. It may be
    divided by commas, semicolons or tabs, in UTF-8, UTF-16 or Windows-1252, as spreadsheets write.

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
        name = composed(row.pop(NAME))
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
        text = _decoded(path.read_bytes())
        read = csv.reader(io.StringIO(text, newline=""), delimiter=_between(text))
        lines = [(i, [cell.strip() for cell in row]) for i, row in enumerate(read, 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _no_table(path, error) from None
    rows = [(line, cells) for line, cells in lines if any(cells)]
    columns = rows.pop(0)[1] if rows else []
    if NAME not in columns and len(columns) == 2:
        rows = rows if columns[1] == "label" else [(1, columns), *rows]
        columns = [NAME, "label"]
    for line, cells in rows:
        if len(cells) != len(columns):
            raise CrosscaleError(f"{path}: row {line} does not have {len(columns)} cells")
    return columns, rows


def _between(text: str) -> str:
    """What divides the columns: what the line of names has, or most lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    head = re.split(r"[,;\t]", lines[0]) if lines else []
    if NAME in [cell.strip(' "') for cell in head]:
        lines = lines[:1]
    return max(",;\t", key=lambda mark: sum(mark in line for line in lines))


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _no_table(path: Path, error: Exception) -> CrosscaleError:
    reason = "there is no such file" if isinstance(error, FileNotFoundError) else error
    return CrosscaleError(f"{path} cannot be read as a table: {reason}")


def _values(texts: Mapping[str, str | None], where: str) -> dict[str, str | int]:
    """Fields whose text is not empty."""
    found: dict[str, str | int] = {}
    for field, text in texts.items():
        if text and field not in WORDS and not (text.isdecimal() and len(text) <= DIGITS):
            raise BadClip(f"{where}: {field} must be a whole number, not '{shown(text, 24)}'")
        if text:
            found[field] = composed(text) if field in WORDS else int(text)
    return found
