"""BVH motion capture of any hierarchy, its joints placed by forward kinematics.

A joint's rotation channels turn in the order in which they are listed, each about an axis of the
frame that the ones before have turned (M. Meredith and S. Maddock, "Motion capture file formats
explained", University of Sheffield, 2001; J. Lander, "Working with motion capture file formats",
Game Developer, 1998). Position channels replace the joint's offset, as all common software writes
them. The format has no units and no vertical axis; `capture.py` tells how they are found.

    HIERARCHY
    ROOT name { OFFSET x y z  CHANNELS n Xposition ... Zrotation ...
        JOINT name { ... }  End Site { OFFSET x y z } }
    MOTION
    Frames: n
    Frame Time: seconds
    one line a frame, its numbers in the order of the channels
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crosscale.data.bodies import FARTHEST
from crosscale.errors import BadClip
from crosscale.readers.files import beginning, faults_named, text_lines
from crosscale.readers.mocap.capture import Capture, Take
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.hierarchy import layout_from_hierarchy
from crosscale.skeleton.joint_names import plain_names
from crosscale.skeleton.layout import Layout

AT_ONCE = 4096  # frames whose turns are held in memory
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


@dataclass(frozen=True)
class Bvh(Capture):
    """Motion capture in BVH files; the first file's hierarchy is the layout if none is given."""

    endings = (".bvh",)
    what = "BVH files"

    def take(self, path: Path) -> Take:
        """Read one file."""
        with faults_named(path):
            motion = parse(text_lines(path))
        time = motion.frame_time  # written with few digits
        return Take(
            names=plain_names([joint.name for joint in motion.joints]),
            bodies=("0",),
            joints=forward_kinematics(motion.joints, motion.channels)[:, None],
            frame_rate=round(1 / time, 2) or None if time > 0 else None,
            parents=tuple(joint.parent for joint in motion.joints),
        )

    def layout_for(self, take: Take) -> Layout:
        """The user's layout, or that of the hierarchy.

        Raises:
            CrosscaleError: when the names of the joints do not tell what they are.
        """
        if self.layout:
            return Layout.of(self.layout)
        return layout_from_hierarchy(f"bvh{len(take.names)}", take.names, take.parents)

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Its first word."""
        return "begins with HIERARCHY" if b"HIERARCHY" in beginning(path)[:64].upper() else None


def forward_kinematics(joints: Sequence[Joint], channels: np.ndarray) -> np.ndarray:
    """Places of joints from their turns.

    Args:
        joints: V joints, parents before children.
        channels: (T, columns) of the file, angles in degrees.

    Returns:
        (T, V, 3) in the file's unit and axes.
    """
    parts = [
        _placed(joints, channels[start : start + AT_ONCE])
        for start in range(0, len(channels), AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty((0, len(joints), 3))


def _placed(joints: Sequence[Joint], channels: np.ndarray) -> np.ndarray:
    turns, steps = _turns(joints, channels), _steps(joints, channels)
    places = np.empty_like(steps)
    for level in _levels(joints):
        if level == [0]:
            places[:, 0] = steps[:, 0]
            continue
        parents = [joints[j].parent for j in level]
        above = turns[:, parents]
        places[:, level] = places[:, parents] + np.einsum("tvij,tvj->tvi", above, steps[:, level])
        turns[:, level] = above @ turns[:, level]
    return places


def _turns(joints: Sequence[Joint], channels: np.ndarray) -> np.ndarray:
    """(T, V, 3, 3) of each joint against its parent; joints with the same axes at once."""
    turns = np.broadcast_to(np.eye(3), (len(channels), len(joints), 3, 3)).copy()
    alike: dict[str, list[int]] = defaultdict(list)
    for j, joint in enumerate(joints):
        alike["".join(axis for axis, _ in joint.rotations)].append(j)
    for axes, members in alike.items():
        if axes:
            columns = [column for j in members for _, column in joints[j].rotations]
            angles = np.radians(channels[:, columns].reshape(len(channels), len(members), -1))
            turns[:, members] = _turned(turns[:, members], axes, angles)
    return turns


def _turned(turns: np.ndarray, axes: str, angles: np.ndarray) -> np.ndarray:
    """Turns (..., 3, 3) followed by one about each axis, by angles (..., axes) in radians."""
    for place, axis in enumerate(axes):
        one, two = (("XYZ".index(axis) + step) % 3 for step in (1, 2))
        cosine, sine = (f(angles[..., place, None]) for f in (np.cos, np.sin))
        turned = turns.copy()
        turned[..., one] = cosine * turns[..., one] + sine * turns[..., two]
        turned[..., two] = cosine * turns[..., two] - sine * turns[..., one]
        turns = turned
    return turns


def _steps(joints: Sequence[Joint], channels: np.ndarray) -> np.ndarray:
    """(T, V, 3) from each joint's parent to it, before the parent's turn."""
    offsets = np.array([joint.offset for joint in joints])
    steps = np.broadcast_to(offsets, (len(channels), *offsets.shape)).copy()
    for j, joint in enumerate(joints):
        for axis, column in joint.positions.items():
            steps[:, j, "XYZ".index(axis)] = channels[:, column]
    return steps


def _levels(joints: Sequence[Joint]) -> list[list[int]]:
    """Joints by their distance from the root."""
    depth = [0] * len(joints)
    for j, joint in enumerate(joints):
        depth[j] = depth[joint.parent] + 1 if j else 0
    order = sorted(range(len(joints)), key=depth.__getitem__)
    return [list(level) for _, level in itertools.groupby(order, key=depth.__getitem__)]
