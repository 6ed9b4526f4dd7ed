"""DeepLabCut: the HDF5 files that `analyze_videos` writes, and the tables of `save_as_csv=True`.

Columns have names of several levels: scorer, bodyparts, coords, and of several animals individuals
below the scorer; in a CSV file they are its first lines. Each part has x and y in pixels (y down)
and a likelihood; each row is a frame. deeplabcut.github.io, "Helper functions", tells how one
becomes the other (`analyze_videos_converth5_to_csv`).

The HDF5 files are what pandas' `DataFrame.to_hdf(path, key="df_with_missing", format="table")`
writes: the compound dataset `table` in a group of the key's name has a row a frame, and the numbers
in fields `values_block_0` and so on. Which columns a block holds stands in the table's attribute
`values_block_0_kind` as a pickled list of tuples of text, which is read without running anything.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from crosscale.data.detections import Detections, from_image
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.files import beginning, faults_named
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.safe.hdf5 import ENDINGS as HDF5
from crosscale.readers.safe.hdf5 import SIGNATURE, opened, own_dataset, own_groups, whole
from crosscale.readers.safe.pickles import unpickled
from crosscale.utils.text import shown

TABLES = (".csv",)
SCENE = "single"  # individual to which parts of the scene are given, such as corners of a box
_NETWORK = re.compile(r"(?<=[^/])DLC_[^/]+shuffle\d+_[^/]*$")
COORDS = ("x", "y", "likelihood")
TABLE, INDEX = "table", "index"
LEVELS = (3, 4)  # scorer, (individual,) bodypart, coordinate
OTHERWISE = (
    "let DeepLabCut write tables: deeplabcut.analyze_videos_converth5_to_csv(folder), or pass "
    "save_as_csv=True to analyze_videos"
)


def read_hdf5(path: Path) -> tuple[list[tuple[str, ...]], np.ndarray, np.ndarray]:
    """Columns of a file, and their numbers.

    Args:
        path: the file.

    Returns:
        Names of each column, outermost first: scorer, (individual,) bodypart, coordinate; numbers
        of the frames (T,), and of the columns (T, columns).

    Raises:
        BadClip: when it is no such file, naming what is wrong and the way to tables that can be
            read.
        CrosscaleError: when the library that reads HDF5 is not installed.
    """
    with opened(path) as file:
        tables = [
            table for group in own_groups(file) if (table := own_dataset(group, TABLE)) is not None
        ]
        if len(tables) != 1:
            raise BadClip(f"has {len(tables)} tables of pandas instead of one; {OTHERWISE}")
        (table,) = tables
        if table.ndim != 1:
            raise BadClip(f"its table has the shape {table.shape}, which is no row a frame")
        fields = table.dtype.fields or {}
        blocks = [name for name in fields if name.startswith("values_block_")]
        if odd := [name for name in blocks if fields[name][0].base.kind not in "fiu"]:
            raise BadClip(f"{odd[0]} holds {fields[odd[0]][0].base}, not numbers")
        columns = [name for block in blocks for name in _names(table.attrs.get(f"{block}_kind"))]
        rows = whole(table)
        numbers = [np.asarray(rows[block], np.float64).reshape(len(rows), -1) for block in blocks]
        values = np.concatenate([np.empty((len(rows), 0)), *numbers], axis=1)
        if len(columns) != values.shape[1] or len({len(levels) for levels in columns}) != 1:
            raise BadClip(f"does not name its {values.shape[1]} columns alike; {OTHERWISE}")
        has_index = INDEX in fields and fields[INDEX][0].base.kind in "iu"
        index = rows[INDEX].ravel() if has_index else np.arange(len(rows))
    return columns, index, values


def _names(pickled: Any) -> list[tuple[str, ...]]:
    try:
        content = pickled.tobytes() if isinstance(pickled, np.void | np.bytes_) else b""
        names = unpickled(content, "the pickle")
    except CrosscaleError as error:
        raise BadClip(f"its column names cannot be read: {error}; {OTHERWISE}") from None
    if not isinstance(names, list) or not all(
        isinstance(name, tuple) and len(name) in LEVELS and all(isinstance(n, str) for n in name)
        for name in names
    ):
        raise BadClip(f"its columns are not named by scorer, bodypart and coordinate; {OTHERWISE}")
    return names


@dataclass(frozen=True)
class DeepLabCut(Estimated):
    """HDF5 files and CSV tables of DeepLabCut; the layout's joints are bodyparts, by name."""

    endings = (*TABLES, *HDF5)
    what = "tables of DeepLabCut"

    def find(self, source: Path) -> list[Item]:
        """The tables below `source`, called by their videos; of one written both ways, the CSV."""
        items = super().find(source)
        tables = {item.name for item in items if item.path.suffix.lower() in TABLES}
        items = [
            item for item in items if item.path.suffix.lower() in TABLES or item.name not in tables
        ]
        short = Counter(_video(item.name) for item in items)
        return sorted(
            replace(item, name=_video(item.name)) if short[_video(item.name)] == 1 else item
            for item in items
        )

    def detections(self, item: Item) -> Detections:
        """All individuals of a table; raises CrosscaleError where HDF5 needs a library."""
        with faults_named(item.path):
            columns, index, values = _table(item.path)
        animals = list(dict.fromkeys(animal for animal, _, _ in columns))
        if len(animals) > 1 and SCENE in animals:
            animals.remove(SCENE)
        parts = list(dict.fromkeys(part for animal, part, _ in columns if animal in animals))
        found = np.full((len(values), len(animals), len(parts), len(COORDS)), np.nan)
        for numbers, (animal, part, coord) in zip(values.T, columns, strict=True):
            if animal in animals:
                place = animals.index(animal), parts.index(part), COORDS.index(coord)
                found[:, *place] = numbers
        frame, who = np.nonzero(np.isfinite(found[..., :2]).any((2, 3)))
        rows = found[frame, who]
        return Detections(
            names=tuple(parts),
            frame=index[frame],
            joints=from_image(rows[..., :2]),
            confidence=rows[..., 2],
            ids=[animals[i] for i in who.tolist()],
            frames=index,
        )

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The first lines of a table, or what HDF5 holds."""
        start = beginning(path)
        first, _, second = start.partition(b"\n")
        if first.startswith(b"scorer,") and second.startswith((b"bodyparts,", b"individuals,")):
            return f"begins with lines of scorer and {second[:9].decode()}"
        if start.startswith(SIGNATURE) and b"pandas_type" in start and b"bodyparts" in start:
            return "is HDF5 with a table of bodyparts"
        return None


def _video(name: str) -> str:
    """The name of the video, without what the network's name adds to it."""
    return _NETWORK.sub("", name) or name


def _table(path: Path) -> tuple[list[tuple[str, str, str]], np.ndarray, np.ndarray]:
    """Individual, part and coordinate of each column, numbers of frames (T,), and (T, columns)."""
    if path.suffix.lower() in HDF5:
        named, index, values = read_hdf5(path)
        return _columns(list(zip(*named, strict=True))), index, values
    header = _header(path)
    columns = _columns([line[1:] for line in header])
    rows = _numbers(path, len(header[0]), len(header))
    return columns, rows[:, 0], rows[:, 1:]


def _header(path: Path) -> list[list[str]]:
    """Lines of names, of which the last is coords."""
    lines: list[list[str]] = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            for line in csv.reader(file):
                lines.append(line)
                if len(lines) == 4 or (line and line[0] == "coords"):
                    break
        except csv.Error as error:
            raise BadClip(f"line {len(lines) + 1}: is not of a CSV table ({error})") from None
    kinds = [line[0] if line else "" for line in lines]
    if kinds not in (
        ["scorer", "bodyparts", "coords"],
        ["scorer", "individuals", "bodyparts", "coords"],
    ):
        raise BadClip(
            "the first lines must begin with scorer, (individuals,) bodyparts and coords; they "
            f"begin with {shown(', '.join(kinds), 80)}"
        )
    if len({len(line) for line in lines}) > 1:
        raise BadClip("the lines of names do not have as many cells each")
    return lines


def _columns(levels: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    """Individual, part and coordinate of each column."""
    *_, parts, coords = levels
    animals = list(levels[1]) if len(levels) == 4 else ["0"] * len(parts)
    columns = list(zip(animals, parts, coords, strict=True))
    if strange := sorted({coord for _, _, coord in columns} - set(COORDS)):
        raise BadClip(
            f"has coords {shown(', '.join(strange))}; only x, y and likelihood in the plane can be "
            "read"
        )
    if not columns or len(set(columns)) < len(columns):
        raise BadClip("names no column, or one twice, in its first lines")
    return columns


def _numbers(path: Path, width: int, first: int) -> np.ndarray:
    """(T, width) below the lines of names."""
    names = [str(i) for i in range(width)]
    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(column_names=names, skip_rows=first, use_threads=False),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
    except pa.ArrowException as error:
        raise BadClip(shown(error, 150)) from None
    if table.num_rows == 0:
        raise BadClip("has no rows below its lines of names")
    return np.stack([table.column(name).to_numpy() for name in names], axis=1)
