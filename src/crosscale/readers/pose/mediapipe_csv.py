"""Wide CSV tables of MediaPipe's landmarks, one row a frame."""

import re
from pathlib import Path

import numpy as np

from crosscale.data.bodies import by_frame
from crosscale.errors import BadClip
from crosscale.readers.tables.csv_table import FRAME, CsvTable, matrix
from crosscale.skeleton.joint_names import find_joints
from crosscale.skeleton.layout import Layout

LAYOUT = "blazepose33"
COUNT = 33
_AXES = {"x": 0, "y": 1, "z": 2, "v": 3, "visibility": 3, "vis": 3}
_NAMED = re.compile(r"(?P<joint>.+)[ _.\-](?P<axis>x|y|z|v|vis|visibility)", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<axis>x|y|z|v)_?(?P<joint>\d+)", re.IGNORECASE)


def landmarks_of_csv(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Landmarks of a table, (T, 33, 3 or 4), and what was repaired.

    A column `frame` tells the frame of each row.
    """
    table = CsvTable(path)
    places = _columns(table.header)
    lacking = [
        f"{joint} {axis}"
        for joint, axes in zip(Layout.load(LAYOUT).joints, places, strict=True)
        for axis in "xyz"
        if _AXES[axis] not in axes
    ]
    if lacking:
        raise BadClip(
            f"{path.name}: lacks the columns {', '.join(lacking[:6])}; they may be called nose_x "
            "or x0 (numbers in MediaPipe's order)"
        )
    axes = 4 if all(3 in axes for axes in places) else 3
    columns = [found[axis] for found in places for axis in range(axes)]
    frame = [name for name in table.header if name.lower() in FRAME][:1]
    rows = table.read([], [*frame, *columns])
    landmarks = matrix(rows, columns).reshape(-1, COUNT, axes)
    if not frame:
        return landmarks, ()
    return by_frame(matrix(rows, frame)[:, 0], landmarks, path.name)


def names_landmarks(path: Path) -> bool:
    """Whether the first line of a table names x, y and z of all landmarks."""
    return all({0, 1, 2} <= axes.keys() for axes in _columns(CsvTable(path).header))


def _columns(header: list[str]) -> list[dict[int, str]]:
    """Columns by axis of each landmark."""
    by_joint: dict[str, dict[int, str]] = {}
    for column in header:
        found = _NUMBERED.fullmatch(column) or _NAMED.fullmatch(column)
        if found:
            axis = _AXES[found["axis"].lower()]
            by_joint.setdefault(found["joint"], {}).setdefault(axis, column)
    joints = list(by_joint)
    endings = {joint: re.findall(r"\d{1,9}", joint) for joint in joints}
    numbered = {int(digits[-1]): joint for joint, digits in endings.items() if digits}
    first = min(numbered, default=0)
    if set(numbered) == set(range(first, first + COUNT)) and first in (0, 1):
        return [by_joint[numbered[first + place]] for place in range(COUNT)]
    places = find_joints(Layout.load(LAYOUT).joints, joints)
    return [{} if place is None else by_joint[joints[place]] for place in places]
