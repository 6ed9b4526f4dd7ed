"""BVH motion capture of any hierarchy, its joints placed by forward kinematics.

A joint's rotation channels turn in the order in which they are listed, each about an axis of the
frame that the ones before have turned (M. Meredith and S. Maddock, "Motion capture file formats
explained", 2001). Position channels replace the joint's offset, as all common software writes
them. The format has no units and no vertical axis; `capture.py` tells how they are found.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscale.readers.files import beginning, faults_named, text_lines
from crosscale.readers.mocap.bvh_text import Joint, parse
from crosscale.readers.mocap.capture import Capture, Take
from crosscale.skeleton.hierarchy import layout_from_hierarchy
from crosscale.skeleton.joint_names import plain_names
from crosscale.skeleton.layout import Layout

AT_ONCE = 4096  # frames whose turns are held in memory


@dataclass(frozen=True)
class Bvh(Capture):
    """Motion capture in BVH files; the first file's hierarchy is the layout if none is given."""

    endings = (".bvh",)
    what = "BVH files"

    def take(self, path: Path) -> Take:
        """Read one file."""
        with faults_named(path):
            motion = parse(text_lines(path))
        return Take(
            names=plain_names([joint.name for joint in motion.joints]),
            bodies=("0",),
            joints=forward_kinematics(motion.joints, motion.channels)[:, None],
            frame_rate=_rate(motion.frame_time),
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


def _rate(frame_time: float) -> float | None:
    """Frames a second; frame times are written with few digits."""
    return round(1 / frame_time, 2) or None if frame_time > 0 else None


def forward_kinematics(joints: Sequence[Joint], channels: np.ndarray) -> np.ndarray:
    """Places of joints, parents before children, from channels (T, columns) with degrees.

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
