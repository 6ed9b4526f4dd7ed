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
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from crosscale.data.detections import FARTHEST
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
        parent: index of its parent; the root is its own.
        offset: (3,) from the parent, in the file's unit.
        positions: axis to column, of its position channels.
        rotations: (axis, column) of its rotation channels, in their order.
    """

    name: str
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
    hierarchy = _Hierarchy(lines)
    hierarchy.read()
    place = hierarchy.at
    frames = hierarchy.setting(place, r"Frames\s*:\s*(\d+)", "Frames: and their number")
    time = hierarchy.setting(place + 1, r"Frame Time\s*:\s*(\S+)", "Frame Time: and the seconds")
    numbers = lines[place + 2 :]
    channels = number_table(numbers, max(1, hierarchy.columns), first=place + 3)
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


class _Hierarchy:
    """The description of the joints, read word by word; `at` is the line that follows it."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.columns = 0
        self.joints: list[Joint] = []
        self.open: list[int] = []  # joints whose brace is open, the innermost last

    def read(self) -> None:
        """Read up to the motion."""
        waiting = False  # for the brace of the joint that was named last
        for words in self._phrases():
            keyword = words[0].upper()
            if waiting != (keyword == "{"):
                self.fail(f"'{words[0]:.24}' is out of place{' (a { should follow)' * waiting}")
            waiting = keyword in ("ROOT", "JOINT", "END")
            if waiting:
                self._begin(keyword, " ".join(words[1:]))
            elif keyword == "{":
                self.open.append(len(self.joints) - 1)
            elif keyword == "}":
                self._close()
            elif keyword == "OFFSET":
                self._offset(words[1:])
            elif keyword == "CHANNELS":
                self._channels(words[1:])
            elif keyword == "MOTION":
                self._done()
                return
            elif keyword != "HIERARCHY":
                self.fail(f"'{words[0]:.24}' is no word of the format")
        self.fail("MOTION should follow, but the file ends: it is cut off")

    def setting(self, line: int, pattern: str, what: str) -> str:
        """The value in a line of the motion's head."""
        found = re.fullmatch(pattern, self.lines[line].strip()) if line < len(self.lines) else None
        if found is None:
            raise BadClip(f"line {line + 1}: should be {what}")
        return found.group(1)

    def fail(self, what: str) -> NoReturn:
        raise BadClip(f"line {self.at}: {what}")

    def _phrases(self) -> Iterator[list[str]]:
        for number, line in enumerate(self.lines, 1):
            self.at = number
            for part in re.split(r"([{}])", line):
                if words := part.split():
                    yield words

    def _begin(self, keyword: str, name: str) -> None:
        if keyword == "ROOT" and self.joints:
            self.fail("a second ROOT; save each body in a file of its own")
        if keyword != "ROOT" and not self.open:
            self.fail(f"{keyword} hangs on nothing; a ROOT should come first")
        if len(self.joints) == MOST_JOINTS:
            self.fail(f"more than {MOST_JOINTS} joints; the file is damaged")
        parent = self.open[-1] if self.open else 0
        if keyword == "END":
            name = self.joints[parent].name + END
        self.joints.append(Joint(name or f"joint {len(self.joints)}", parent))

    def _close(self) -> None:
        if not self.open:
            self.fail("a } without its {")
        joint = self.joints[self.open.pop()]
        if not joint.offset:
            self.fail(f"{joint.name} has no OFFSET")

    def _here(self) -> Joint:
        if not self.open:
            self.fail("outside of any joint")
        return self.joints[self.open[-1]]

    def _offset(self, words: list[str]) -> None:
        try:
            offset = tuple(map(float, words))
        except ValueError:
            offset = ()
        if len(offset) != 3 or not (np.abs(offset) <= FARTHEST).all():
            self.fail("OFFSET needs three numbers")
        self._here().offset = offset

    def _channels(self, words: list[str]) -> None:
        joint = self._here()
        names = [word.lower() for word in words[1:]]
        if not words or words[0] != str(len(names)) or not set(names) <= CHANNELS.keys():
            self.fail("CHANNELS needs their number and as many of Xposition ... Zrotation")
        for column, name in enumerate(names, self.columns):
            kind, axis = CHANNELS[name]
            if kind == "position":
                joint.positions[axis] = column
            else:
                joint.rotations.append((axis, column))
        self.columns += len(names)

    def _done(self) -> None:
        if self.open:
            self.fail(f"{self.joints[self.open[-1]].name} is not closed before MOTION")
        if not self.joints:
            self.fail("no ROOT before MOTION")
