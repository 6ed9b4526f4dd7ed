"""DeepLabCut: the CSV tables that `analyze_videos(..., save_as_csv=True)` writes.

The first lines name the columns: scorer, bodyparts, coords, and of several animals individuals
below the scorer. Each part has x and y in pixels (y down) and a likelihood; each row is a frame.
deeplabcut.github.io, "Helper functions", tells how HDF5 files become such tables
(`analyze_videos_converth5_to_csv`). The HDF5 files themselves keep their column names in a pickle,
which is not read here.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from crosscale.data.detections import Detections, from_image
from crosscale.data.readers import Item
from crosscale.data.readers.estimated import Estimated
from crosscale.data.readers.files import faults_named, shown, some_files
from crosscale.errors import BadClip, CrosscaleError

SCENE = "single"  # individual to which parts of the scene are given, such as corners of a box
COORDS = ("x", "y", "likelihood")


@dataclass(frozen=True)
class DeepLabCut(Estimated):
    """CSV tables of DeepLabCut; the layout's joints are bodyparts, by name."""

    endings = (".csv",)
    what = "CSV tables of DeepLabCut"

    def find(self, source: Path) -> list[Item]:
        """The tables below `source`, or the one that it is.

        Raises:
            CrosscaleError: when there are none; tells how HDF5 files become tables.
        """
        if any(some_files(source, (".h5",), most=1)) and not some_files(source, (".csv",), most=1):
            raise CrosscaleError(
                f"{source} has HDF5 files, whose names are pickled and not read; let DeepLabCut "
                "write tables: deeplabcut.analyze_videos_converth5_to_csv(folder)"
            )
        return super().find(source)

    def detections(self, item: Item) -> Detections:
        """All individuals of a table.

        Raises:
            BadClip: naming the file and the line.
        """
        with faults_named(item.path):
            header = _header(item.path)
            columns = list(enumerate(_columns(header), start=1))
            values = _numbers(item.path, len(header[0]), len(header))
        animals = list(dict.fromkeys(animal for _, (animal, _, _) in columns))
        if len(animals) > 1 and SCENE in animals:
            animals.remove(SCENE)
            columns = [column for column in columns if column[1][0] != SCENE]
        parts = list(dict.fromkeys(part for _, (_, part, _) in columns))
        found = np.full((len(values), len(animals), len(parts), len(COORDS)), np.nan)
        for column, (name, part, coord) in columns:
            place = animals.index(name), parts.index(part), COORDS.index(coord)
            found[:, *place] = values[:, column]
        frame, animal = np.nonzero(np.isfinite(found[..., :2]).any((2, 3)))
        rows = found[frame, animal]
        return Detections(
            names=tuple(parts),
            frame=frame,
            joints=from_image(rows[..., :2]),
            confidence=rows[..., 2],
            ids=[animals[i] for i in animal.tolist()],
            frames=np.arange(len(values)),
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is of DeepLabCut, or None."""
    for path in some_files(source, DeepLabCut.endings):
        with path.open("rb") as file:
            first = file.readline(1 << 16)
            second = file.readline(1 << 16)
        if first.startswith(b"scorer,") and second.startswith((b"bodyparts,", b"individuals,")):
            return f"{path.name} begins with lines of scorer and {second[:9].decode()}"
    return None


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


def _columns(header: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    """Individual, part and coordinate of each column."""
    *_, parts, coords = (line[1:] for line in header)
    animals = list(header[1][1:]) if len(header) == 4 else ["0"] * len(parts)
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
