"""CSV or Parquet tables in long form: a row for each joint in each frame.

Columns are `frame` (whole numbers), `joint` (a name), `x`, `y`, and where there are `z`, `person`,
`confidence`, `clip` (or `name`: several recordings in one file) and `label`; others do not matter.
Joints are matched by name with those of the layout. Without `--units` and `--up` the bodies tell
both, and whether y points down as in pictures.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crosscale.data.bodies import LATER, REPEATED
from crosscale.data.detections import Detections
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.by_name import joint_places
from crosscale.readers.files import faults_named, files_below
from crosscale.readers.mocap.space import Units, Up, guessed, placed
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.tables.csv_table import CsvTable
from crosscale.skeleton.layout import Layout
from crosscale.utils.text import shown

LOOKED_AT = 8  # clips that tell units and axes
PARQUET = ".parquet"
ENDINGS = (".csv", ".tsv", PARQUET)
NEEDED = ("frame", "joint", "x", "y")
WORDS = ("joint", "person", "clip", "label")
NUMBERS = ("frame", "x", "y", "z", "confidence")
SAME = {"name": "clip"}
CELLS_PER_ROW = 100  # of the joints of all frames; more are names that differ in every row


@dataclass(frozen=True, eq=False)
class LongFile:
    """A table in memory.

    Attributes:
        path: the file.
        clips: names of its clips; "" alone where it has no such column.
        rows: (R,) places of its rows, those of a clip together.
        starts: where each clip's rows begin, and the end.
        joints: names of all joints.
        joint: (R,) places in them.
        words: columns of text.
        numbers: (R,) columns of numbers.
    """

    path: Path
    clips: tuple[str, ...]
    rows: np.ndarray
    starts: np.ndarray
    joints: tuple[str, ...]
    joint: np.ndarray
    words: Mapping[str, pa.ChunkedArray]
    numbers: Mapping[str, np.ndarray]

    def detections(self, index: int) -> Detections:
        """One clip, as its rows say.

        Args:
            index: its place in `clips`.

        Raises:
            BadClip: naming the file, and the line where it is wrong.
        """
        rows = self.rows[self.starts[index] : self.starts[index + 1]]
        axes = [axis for axis in "xyz" if axis in self.numbers]
        places = np.stack([self.numbers[axis][rows] for axis in axes], axis=1)
        frame = self._frames(rows)
        body, person = self._bodies(rows, frame)
        count = int(body.max()) + 1
        if count * len(self.joints) > CELLS_PER_ROW * len(rows):
            raise BadClip(f"{self.path.name}: {len(self.joints)} joints for {len(rows)} rows")
        repeated = self._repeated(rows, body * len(self.joints) + self.joint[rows])
        joints = np.full((count, len(self.joints), len(axes)), np.nan)
        joints[body, self.joint[rows]] = places
        first = np.zeros(count, np.int64)
        first[body] = np.arange(len(rows))
        confidence = None
        if "confidence" in self.numbers:
            confidence = np.full(joints.shape[:2], np.nan)
            confidence[body, self.joint[rows]] = self.numbers["confidence"][rows]
        return Detections(
            names=self.joints,
            frame=frame[first],
            joints=joints,
            confidence=confidence,
            ids=[person[row] for row in first.tolist()],
            label=self._label(rows),
            notes=(f"{LATER}: {repeated}",) if repeated else (),
        )

    def _frames(self, rows: np.ndarray) -> np.ndarray:
        frame = self.numbers["frame"][rows]
        wrong = ~(np.abs(frame) < 2**53) | (frame != np.floor(frame))
        if wrong.any():
            raise BadClip(f"{self._line(rows, wrong)}: the frame is not a whole number")
        return frame.astype(np.int64)

    def _bodies(self, rows: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """A number for each person in each frame, and the person of each row."""
        if "person" not in self.words:
            return np.unique(frame, return_inverse=True)[1], ["0"] * len(rows)
        people = self.words["person"].take(pa.array(rows)).to_pylist()
        wrong = np.array([name is None for name in people])
        if wrong.any():
            raise BadClip(f"{self._line(rows, wrong)}: names no person")
        number = np.unique(np.array(people), return_inverse=True)[1]
        pairs = np.stack([frame, number])
        return np.unique(pairs, axis=1, return_inverse=True)[1].ravel(), people

    def _label(self, rows: np.ndarray) -> str | None:
        if "label" not in self.words:
            return None
        labels = self.words["label"].take(pa.array(rows)).unique().to_pylist()
        if len(labels) > 1:
            raise BadClip(
                f"{self._line(rows, np.ones(1, bool))}: the clip that begins here has the labels "
                f"{shown(labels[0])} and {shown(labels[1])}"
            )
        return labels[0] or None

    def _repeated(self, rows: np.ndarray, cell: np.ndarray) -> int:
        """How many rows are of a joint, frame and person that another row has."""
        _, first = np.unique(cell, return_index=True)
        count = len(cell) - len(first)
        if count > REPEATED * len(cell):
            twice = np.ones(len(cell), bool)
            twice[first] = False
            row = int(np.argmax(twice))
            joint = shown(self.joints[self.joint[rows[row]]])
            raise BadClip(
                f"{self._line(rows, twice)}: {joint} is there twice in one frame; several "
                "people need a column person, several clips a column clip"
            )
        return count

    def _line(self, rows: np.ndarray, wrong: np.ndarray) -> str:
        row = int(rows[int(np.argmax(wrong))])
        if _is_parquet(self.path):
            return f"{self.path.name}: row {row}"
        return f"{self.path.name}: line {row + 2}"


def open_long(path: Path) -> LongFile:
    """A table; the same is not read again unless it has changed.

    Raises:
        BadClip: when it is no table in long form; tells what is wrong.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise BadClip(f"{path.name}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> LongFile:
    columns = columns_of(path)
    words = [columns[name] for name in WORDS if name in columns]
    numbers = [columns[name] for name in NUMBERS if name in columns]
    parquet = _is_parquet(path)
    table = _parquet(path, words, numbers) if parquet else CsvTable(path).read(words, numbers)
    text = {name: table.column(columns[name]) for name in WORDS if name in columns}
    for name in ("joint", "clip"):
        if name in text and (row := pc.index(pc.fill_null(text[name], ""), "").as_py()) >= 0:
            raise BadClip(f"{path.name}: row {row} below the first line names no {name}")
    joints = text["joint"].combine_chunks().dictionary_encode()
    clips, clip = ("",), np.zeros(table.num_rows, np.int64)
    if "clip" in text:
        coded = text["clip"].combine_chunks().dictionary_encode()
        clips, clip = tuple(coded.dictionary.to_pylist()), coded.indices.to_numpy()
    return LongFile(
        path=path,
        clips=clips,
        rows=np.argsort(clip, kind="stable"),
        starts=np.concatenate([[0], np.cumsum(np.bincount(clip, minlength=len(clips)))]),
        joints=tuple(joints.dictionary.to_pylist()),
        joint=joints.indices.to_numpy().astype(np.int64),
        words=text,
        numbers={
            name: table.column(columns[name]).to_numpy() for name in NUMBERS if name in columns
        },
    )


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == PARQUET


def columns_of(path: Path) -> dict[str, str]:
    """Columns as the file writes them, by their meaning.

    Raises:
        BadClip: when it is no table, or lacks a column that is needed.
    """
    if _is_parquet(path):
        try:
            header = pq.read_schema(path).names
        except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
            reason = shown(error, 100)
            raise BadClip(f"{path.name}: is not a whole Parquet file ({reason})") from None
    else:
        header = CsvTable(path).header
    columns: dict[str, str] = {}
    for name in header:
        meaning = SAME.get(name.lower(), name.lower())
        if meaning in (*WORDS, *NUMBERS):
            columns.setdefault(meaning, name)
    if lacking := [name for name in NEEDED if name not in columns]:
        raise BadClip(
            f"{path.name}: lacks the columns {', '.join(lacking)}; it has "
            f"{shown(', '.join(header), 200)}"
        )
    return columns


def _parquet(path: Path, words: Sequence[str], numbers: Sequence[str]) -> pa.Table:
    types = dict.fromkeys(words, pa.string()) | dict.fromkeys(numbers, pa.float64())
    try:
        table = pq.read_table(path, columns=list(types), use_threads=False)
        table = table.cast(pa.schema([(name, types[name]) for name in table.column_names]))
        table.validate(full=True)  # words that are no UTF-8 are not looked at before
    except (OSError, pa.ArrowException) as error:
        raise BadClip(f"{path.name}: {shown(error, 150)}") from None
    if table.num_rows == 0:
        raise BadClip(f"{path.name}: has no rows")
    return table


@dataclass(frozen=True)
class LongTable(Estimated):
    """Tables of one's own in long form: a row for each joint in each frame.

    Attributes:
        units: of coordinates in space; None takes what fits a body.
        up: the axis that points up; None takes the one along which people hold their torsos.
        guessed: what was guessed, for every clip.
    """

    units: Units | None = None
    up: Up | None = None
    guessed: tuple[str, ...] = ()

    endings = ENDINGS
    what = "tables in long form"

    def find(self, source: Path) -> list[Item]:
        """One item a clip of the tables below `source`, or of the one that it is.

        A table that cannot be read counts as one clip, so that it is skipped alone.

        Raises:
            CrosscaleError: when there are none.
        """
        items = []
        for item in files_below(source, ENDINGS, self.what):
            try:
                clips = open_long(item.path).clips if "clip" in columns_of(item.path) else ("",)
            except BadClip:
                clips = ("",)
            for index, clip in enumerate(clips):
                inside = clip if item.path == source else f"{item.name}/{clip}"
                items.append(Item(inside if clip else item.name, item.path, index))
        return sorted(items)

    def for_source(self, source: Path) -> "LongTable":
        """This reader with its layout, units and axes; see `Estimated`."""
        known = cast("LongTable", super().for_source(source))
        layout = Layout.of(known.layout)
        bodies: list[np.ndarray] = []
        for item in self.find(source):
            with suppress(BadClip):  # is skipped when its turn comes
                found = open_long(item.path).detections(item.index)
                bodies.append(found.joints[:, joint_places(layout, found.names, item.name)])
            if len(bodies) == LOOKED_AT:
                break
        if len({x.shape[-1] for x in bodies}) != 1:
            return known
        units, up, notes = guessed(bodies, layout, self.units, self.up)
        return replace(known, units=units, up=up, guessed=notes)

    def detections(self, item: Item) -> Detections:
        """One clip of a table; what is wrong is told with its line."""
        found = open_long(item.path).detections(item.index)
        with (
            faults_named(item.path),
            np.errstate(invalid="ignore", over="ignore"),  # infinite ones count as missing
        ):
            joints = placed(found.joints, self.units, self.up)
        return replace(found, joints=joints, notes=(*found.notes, *self.guessed))

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The names of its columns."""
        with suppress(BadClip):
            columns_of(path)
            return f"has columns {', '.join(NEEDED)}"
        return None
