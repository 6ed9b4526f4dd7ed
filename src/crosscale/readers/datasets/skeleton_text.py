"""The text of an NTU `.skeleton` file.

    number of frames
    for each frame:   number of bodies
    for each body:    id and nine numbers about hands and leaning
                      number of joints
                      for each joint: x y z and nine numbers (depth and colour pixel, turn, state)

Nothing is guessed: a file that departs from this is refused with the line where it does.
"""

import codecs
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import numpy as np

from crosscale.data.tracks import Sightings
from crosscale.errors import BadClip

BODY_COLUMNS = 10
JOINT_COLUMNS = 12


def parse(content: bytes, joints: int) -> Sightings:
    """Read the text of a `.skeleton` file, by compiled code where numba is installed.

    Args:
        content: the file's bytes.
        joints: V, how many joints a body must have.

    Returns:
        Every body of every frame, metres.

    Raises:
        BadClip: naming line and frame, but not the file.
    """
    scan = _compiled()
    seen = scan(content, joints) if scan else None
    return seen or parse_slowly(content, joints)


def parse_slowly(content: bytes, joints: int) -> Sightings:
    """`parse` without numba: what it reads, and refuses, is what the format means."""
    walk = _Walk([line.split() for line in _plain(content).split(b"\n")])
    walk.frames = walk.count("number of frames")
    if walk.frames == 0:
        walk.fail("says that there are no frames")
    frame: list[int] = []
    ids: list[str] = []
    numbers: list[bytes] = []
    lines: list[int] = []
    for t in range(walk.frames):
        walk.frame = t
        for _ in range(walk.count("number of bodies")):
            ids.append(walk.row(BODY_COLUMNS, "a body's id line")[0].decode("latin1"))
            frame.append(t)
            found = walk.count("number of joints")
            if found != joints:
                walk.fail(
                    f"{found} joints, the layout has {joints}; name the layout of these files "
                    "with --layout"
                )
            lines.append(walk.at)
            for row in walk.joint_rows(joints):
                numbers += row[:3]
    walk.end()
    coordinates = _metres(numbers, lines).reshape(-1, joints, 3)
    return Sightings(walk.frames, np.array(frame, np.int64), ids, coordinates)


@cache
def _compiled() -> Callable[[bytes, int], Sightings | None] | None:
    """The fast way; None without numba, or where numba has no place to keep what it compiles."""
    try:
        # numba takes longer to import than most commands run
        from crosscale.readers.datasets.skeleton_scan import make_ready, scan

        make_ready()  # so that a failure is none of the first file's
    except (ImportError, OSError, RuntimeError):
        return None
    return scan


class _Walk:
    """A place in the rows of a file, which knows how to say where it is."""

    def __init__(self, rows: list[list[bytes]]) -> None:
        while rows and not rows[-1]:
            rows.pop()
        self.rows = rows
        self.at = 0
        self.frames = 0
        self.frame = 0

    def row(self, columns: int, what: str) -> list[bytes]:
        """The next row, which must have this many columns."""
        if self.at == len(self.rows):
            self.fail(f"{what} should follow, but the file ends: it is cut off", self.at)
        row = self.rows[self.at]
        self.at += 1
        if len(row) != columns:
            cut = "; the file is cut off here" if self.at == len(self.rows) else ""
            self.fail(f"{what} should have {columns} columns and has {len(row)}{cut}")
        return row

    def count(self, what: str) -> int:
        """The next row, which must be one whole number."""
        (word,) = self.row(1, f"the {what}")
        if not word.isdigit():
            self.fail(f"the {what} cannot be '{_shown(word)}'")
        return int(word[:9])

    def joint_rows(self, joints: int) -> list[list[bytes]]:
        """The next rows, which must be those of a body's joints."""
        rows = self.rows[self.at : self.at + joints]
        if len(rows) == joints and {len(row) for row in rows} == {JOINT_COLUMNS}:
            self.at += joints
            return rows
        return [self.row(JOINT_COLUMNS, f"joint {j + 1} of {joints}") for j in range(joints)]

    def end(self) -> None:
        """Nothing may be left."""
        if self.at < len(self.rows):
            self.at += 1
            self.fail(f"data left over after the {self.frames} frames that line 1 announces")

    def fail(self, what: str, line: int | None = None) -> NoReturn:
        where = f" (frame {self.frame + 1} of {self.frames})" if self.frames else ""
        raise BadClip(f"line {self.at if line is None else line}{where}: {what}")


def _plain(content: bytes) -> bytes:
    """The file as ASCII text, whatever mark of its encoding an editor put in front."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise BadClip("is UTF-16 text that is cut off or damaged") from None
    content = content.removeprefix(codecs.BOM_UTF8)
    if not content.strip():
        raise BadClip("is empty")
    for sign, why in (
        (b"\0", "NUL bytes, as an interrupted copy leaves them; fetch the file again"),
        (b",", "a decimal comma; numbers must be written with a point"),
        (b"_", "an underscore, which has no place in a number"),
    ):
        place = content.find(sign)
        if place >= 0:
            line = content.count(b"\n", 0, place) + 1
            raise BadClip(f"line {line}: {why}")
    return content


def _metres(words: list[bytes], lines: list[int]) -> np.ndarray:
    """Numbers from their words; `lines` are those before each body's joints."""
    try:
        values = np.array(list(map(float, words)), np.float64)
    except ValueError:
        values = np.array([_value(word) for word in words])
    wrong = ~(np.abs(values) < np.finfo(np.float32).max)
    if wrong.any():
        first = int(wrong.argmax())
        body, place = divmod(first, len(words) // len(lines))
        raise BadClip(
            f"line {lines[body] + place // 3 + 1}: coordinate {'xyz'[place % 3]} cannot be "
            f"'{_shown(words[first])}'"
        )
    return values.astype(np.float32)


def _value(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return np.nan


def _shown(word: bytes) -> str:
    return ascii(word.decode("latin1"))[1:-1][:24]
