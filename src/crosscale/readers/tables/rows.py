"""Text with the places of joints in rows, as many write it.

Either a row a joint, x y z, all joints of a frame one below the other; or a row a frame, x y z of
one joint after the other:

    0.131 -0.061 2.326        HipCenter; Spine; Head
    0.132  0.247 2.303        0.17 -0.01 2.91; 0.18 0.05 2.97; 0.17 0.59 2.96

Between numbers stand blanks, tabs, commas or semicolons. A first line may name the joints, a name
for each three numbers. Where there is none, the rows have the joints of the layout in its order, or
those that `joints` names. One number more in front of each row is that of its frame. A joint at
0 0 0 is missing, unless it always lies there: places are measured from it then. Files may be packed
with gzip.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosscale.data.bodies import by_frame
from crosscale.errors import BadClip
from crosscale.readers.by_name import builtin_with, fitting_layout
from crosscale.readers.files import GZIP, beginning, faults_named, text_lines
from crosscale.readers.mocap.capture import Capture, Take
from crosscale.readers.tables.csv_table import FRAME
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.layout import Layout
from crosscale.utils.text import shown

TEXTS = (".txt", ".csv", ".tsv")
AXES = ["x", "y", "z"]
_BETWEEN = re.compile(r"[\s,;]+")


@dataclass(frozen=True)
class Rows(Capture):
    """Text files of joints in rows.

    Attributes:
        layout: empty takes the built-in one that has most of the named joints.
        joints: names of the joints in the order of the rows, with commas between, for files that do
            not name them; empty takes the order of the layout.
    """

    joints: str = ""

    endings = (*TEXTS, *(ending + GZIP for ending in TEXTS))
    what = "text files"

    def for_source(self, source: Path) -> "Capture":
        """This reader with layout, units and axes; see `Capture`."""
        if self.layout:
            return super().for_source(source)
        layout = fitting_layout(self.joints_in(source).names, source)
        return replace(self, layout=layout).for_source(source)

    def take(self, path: Path) -> Take:
        """Read one file."""
        with faults_named(path):
            text = _Text(text_lines(path))
            places, notes = text.places(names := text.names or self._names())
            return Take(names, ("0",), places, None, notes=notes)

    def _names(self) -> tuple[str, ...]:
        """Joints in the order of rows that do not name them."""
        if self.joints:
            return tuple(name.strip() for name in self.joints.split(","))
        if not self.layout:
            raise BadClip(
                "no line names the joints; give the layout that has them in the order of the rows "
                "(--layout ntu25), or their names (--joints hip_centre,spine,...)"
            )
        return Layout.of(self.layout).joints

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Names of a layout's joints above x y z of each."""
        with suppress(BadClip):
            text = _Text(beginning(path).decode("utf-8-sig", errors="replace").splitlines()[:2])
            layout = builtin_with(text.names) if text.names else None
            if layout is not None and text.columns >= 3 * len(text.names):
                return f"names the joints of {layout.name} above x y z of each"
        return None


class _Text:
    """Lines of one file.

    Attributes:
        names: of the joints, where its first line has them.
        columns: numbers in its first row.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        filled = [number for number, line in enumerate(lines) if line.strip()]
        if not filled:
            raise BadClip("is empty")
        first = lines[filled[0]]
        self.names: tuple[str, ...] = ()
        self._separator = max(";\t,", key=first.count)
        begin = filled[0]
        if not all(map(_is_number, _words(first))):
            self.names = _named(first, self._separator)
            begin += 1
        self._first = begin + 1
        self._rows = _with_blanks(lines[begin:])
        self._top = next((line for line in lines[begin:] if line.strip()), "")
        self.columns = len(next((row for row in self._rows if row.strip()), "").split())
        if not self.columns:
            raise BadClip("has no numbers below its first line")

    def places(self, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Joints of these names (T, 1, V, 3), NaN where one is missing, and what was repaired.

        Raises:
            BadClip: when the rows do not have that many joints; names the line.
        """
        values = number_table(self._rows, self.columns, first=self._first)
        count = len(names)
        in_row = 1 if self.columns in (3, 4) else count  # joints
        beyond = self._cells_beyond(count)
        numbers = None
        if (
            self.columns == 3 * in_row + 1
            and not beyond
            and _number_frames(values, count // in_row)
        ):
            numbers, values = values[:: count // in_row, 0], values[:, 1:]
        if values.shape[1] != 3 * in_row and not beyond:
            raise BadClip(
                f"has {self.columns} numbers a row; x y z of {count} joints are {3 * count} "
                "numbers in a row, or 3 in a row a joint"
            )
        if len(values) * in_row % count:
            raise BadClip(
                f"has {len(values):,} rows of x y z, not {count} for each frame; has it other "
                "joints, or is it cut off?"
            )
        places = _without_origin(values[:, : 3 * in_row].reshape(-1, count, 3))
        rows, notes = (places, ()) if numbers is None else by_frame(numbers, places)
        return rows[:, None], notes

    def _cells_beyond(self, count: int) -> bool:
        """Whether x y z of each named joint stand in a cell, and further cells without a name."""
        cells = self._top.split(self._separator)
        sizes = [len(_words(cell)) for cell in cells[:count]]
        return bool(self.names) and len(cells) > count and sizes == [3] * count


def _named(line: str, separator: str) -> tuple[str, ...]:
    """Names of joints in a first line; none where it names the axes."""
    words = line.split(separator) if separator in line else line.split()
    names = [word.strip().strip('"') for word in words]
    while names and not names[-1]:
        names.pop()
    if names and names[0].lower() in FRAME:
        del names[0]
    if [name.lower() for name in names] == AXES:
        return ()
    if "" in names or len(set(names)) < len(names):
        raise BadClip(f"line 1: should name each joint once, not {shown(line, 60)}")
    return tuple(names)


def _with_blanks(lines: Sequence[str]) -> list[str]:
    """The lines with blanks between numbers, and a decimal point where a comma stood for one."""
    text = "\n".join(lines)
    if "," in text and "." not in text:
        words = re.split(r"[\s;]+", text.strip())
        if len(words) > 1 and all(re.fullmatch(r"[^,]+(,[^,]+)?", word) for word in words):
            text = text.replace(",", ".")
    return [re.sub(r"[,;]", " ", line) for line in text.split("\n")]


def _number_frames(values: np.ndarray, rows: int) -> bool:
    """Whether the first of all numbers is whole, and the same in so many rows each."""
    first = values[:, 0]
    groups = first.reshape(-1, rows) if len(first) % rows == 0 else first[:, None]
    return bool((first % 1 == 0).all() and (groups == groups[:, :1]).all())


def _without_origin(places: np.ndarray) -> np.ndarray:
    """Places (T, V, 3) with NaN for joints at 0 0 0, but for those that always lie there.

    Raises:
        BadClip: when all do.
    """
    origin = (places == 0).all(-1)
    nobody = origin.all(1, keepdims=True)
    if nobody.all():
        raise BadClip("shows nobody: every joint is at 0 0 0 in every frame")
    always = (origin | nobody).all(0)
    return np.where((origin & (nobody | ~always))[..., None], np.nan, places)


def _words(text: str) -> list[str]:
    return [word for word in _BETWEEN.split(text) if word]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
