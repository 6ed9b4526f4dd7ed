"""The text of a BVH file (Biovision hierarchical data).

Its form is described by M. Meredith and S. Maddock, "Motion capture file formats explained",
University of Sheffield, 2001, and J. Lander, "Working with motion capture file formats", Game
Developer, 1998:

    HIERARCHY
    ROOT name { OFFSET x y z  CHANNELS n Xposition ... Zrotation ...
        JOINT name { ... }  End Site { OFFSET x y z } }
    MOTION
    Frames: n
    Frame Time: seconds
    one line a frame, its numbers in the order of the channels
"""

import re
from dataclasses import dataclass, field

import numpy as np

from crosscale.data.bodies import FARTHEST
from crosscale.errors import BadClip
from crosscale.readers.tables.number_table import number_table

MOST_JOINTS = 1000  # a body has below 100; more is a damaged file
END = "_end"
CHANNELS = {
    f"{axis.lower()}{kind}": (kind, axis) for axis in "XYZ" for kind in ("position", "rotation")
}


@dataclass
class Joint:
    """A joint as the file describes it.

    Attributes:
        name: as in the file; that of an End Site is its parent's with `_end`.
        place: its index.
        parent: index of its parent; the root is its own.
        offset: (3,) from the parent, in the file's unit.
        positions: axis to column, of its position channels.
        rotations: (axis, column) of its rotation channels, in their order.
    """

    name: str
    place: int
    parent: int
    offset: tuple[float, ...] = ()
    positions: dict[str, int] = field(default_factory=dict)
    rotations: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Motion:
    """What a file holds.

    Attributes:
        joints: V joints, parents before children.
        channels: (T, columns) numbers of the frames, angles in degrees.
        frame_time: seconds.
    """

    joints: list[Joint]
    channels: np.ndarray
    frame_time: float


def parse(lines: list[str]) -> Motion:
    """Read the lines of a file.

    Raises:
        BadClip: naming the line, but not the file.
    """
    hierarchy = _Hierarchy()
    place = hierarchy.read(lines)
    frames = _setting(lines, place, r"Frames\s*:\s*(\d+)", "Frames: and their number")
    time = _setting(lines, place + 1, r"Frame Time\s*:\s*(\S+)", "Frame Time: and the seconds")
    channels = number_table(lines[place + 2 :], max(1, hierarchy.columns), first=place + 3)
    if str(len(channels)) != frames.lstrip("0"):
        cut = "; the file is cut off" if len(channels) < float(frames) else ""
        raise BadClip(f"line {place + 1}: says {frames:.20} frames, {len(channels)} follow{cut}")
    inside = np.abs(channels) <= FARTHEST
    if not inside.all():
        row = int(np.flatnonzero(~inside.all(1))[0])
        raise BadClip(f"frame {row}: a number is not finite or out of all reason")
    try:
        seconds = float(time)
    except ValueError:
        raise BadClip(f"line {place + 2}: '{time:.24}' is not a number of seconds") from None
    return Motion(hierarchy.joints, channels, seconds)


def _setting(lines: list[str], line: int, pattern: str, what: str) -> str:
    """The value in a line of the motion's head."""
    found = re.fullmatch(pattern, lines[line].strip()) if line < len(lines) else None
    if found is None:
        raise BadClip(f"line {line + 1}: should be {what}")
    return found[1]


class _Hierarchy:
    """The description of the joints, read phrase by phrase."""

    def __init__(self) -> None:
        self.columns = 0
        self.joints: list[Joint] = []
        self._open: list[Joint] = []  # whose brace is open, the innermost last
        self._waiting = False  # for the brace of the joint that was named last

    def read(self, lines: list[str]) -> int:
        """Read up to the motion; how many lines that are."""
        for number, line in enumerate(lines, 1):
            for phrase in filter(None, map(str.split, re.split(r"([{}])", line))):
                try:
                    if self._take(phrase[0].upper(), phrase[1:]):
                        return number
                except BadClip as error:
                    raise BadClip(f"line {number}: {error}") from None
        raise BadClip(f"line {len(lines)}: MOTION should follow, but the file ends: it is cut off")

    def _take(self, keyword: str, words: list[str]) -> bool:
        """Take in a phrase; whether it ends the hierarchy."""
        if self._waiting != (keyword == "{"):
            raise BadClip(
                f"'{keyword:.24}' is out of place{' (a { should follow)' * self._waiting}"
            )
        self._waiting = keyword in ("ROOT", "JOINT", "END")
        if self._waiting:
            self._begin(keyword, " ".join(words))
        elif keyword == "{":
            self._open.append(self.joints[-1])
        elif keyword == "MOTION":
            if self._open or not self.joints:
                lacking = f"{self._open[-1].name} is not closed" if self._open else "no ROOT"
                raise BadClip(f"{lacking} before MOTION")
            return True
        elif keyword == "}":
            if not self._innermost().offset:
                raise BadClip(f"{self._open[-1].name} has no OFFSET")
            self._open.pop()
        elif keyword == "OFFSET":
            self._innermost().offset = _offset(words)
        elif keyword == "CHANNELS":
            self._channels(self._innermost(), words)
        elif keyword != "HIERARCHY":
            raise BadClip(f"'{keyword:.24}' is no word of the format")
        return False

    def _innermost(self) -> Joint:
        if not self._open:
            raise BadClip("outside of any joint")
        return self._open[-1]

    def _begin(self, keyword: str, name: str) -> None:
        if keyword == "ROOT" and self.joints:
            raise BadClip("a second ROOT; save each body in a file of its own")
        if keyword != "ROOT" and not self._open:
            raise BadClip(f"{keyword} hangs on nothing; a ROOT should come first")
        if len(self.joints) == MOST_JOINTS:
            raise BadClip(f"more than {MOST_JOINTS} joints; the file is damaged")
        parent = self._open[-1].place if self._open else 0
        if keyword == "END":
            name = self.joints[parent].name + END
        place = len(self.joints)
        self.joints.append(Joint(name or f"joint {place}", place, parent))

    def _channels(self, joint: Joint, words: list[str]) -> None:
        names = [word.lower() for word in words[1:]]
        if not words or words[0] != str(len(names)) or not set(names) <= CHANNELS.keys():
            raise BadClip("CHANNELS needs their number and as many of Xposition ... Zrotation")
        for column, name in enumerate(names, self.columns):
            kind, axis = CHANNELS[name]
            if kind == "position":
                joint.positions[axis] = column
            else:
                joint.rotations.append((axis, column))
        self.columns += len(names)


def _offset(words: list[str]) -> tuple[float, ...]:
    try:
        offset = tuple(map(float, words))
    except ValueError:
        offset = ()
    if len(offset) != 3 or not (np.abs(offset) <= FARTHEST).all():
        raise BadClip("OFFSET needs three numbers")
    return offset
