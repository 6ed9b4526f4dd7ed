"""C3D: markers of optical motion capture, read by the library `c3d`.

The format is described at www.c3d.org: blocks of 512 bytes with a header, parameters in groups and
frames of points, each x, y, z and a word whose sign tells an invalid point (residual -1).
`POINT:LABELS` names the points and `POINT:UNITS` their unit. Several people are told apart by the
subject in front of a label, as `Ann:LSHO`.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from crosscale.errors import BadClip, needs, readable
from crosscale.readers.files import beginning, faults_named
from crosscale.readers.mocap.capture import Markers, Take, rate_of
from crosscale.readers.mocap.space import metres_of
from crosscale.utils.text import shown

SIGNATURE = b"\x50"


@dataclass(frozen=True)
class C3d(Markers):
    """Motion capture in C3D files: markers, by name."""

    endings = (".c3d",)
    what = "C3D files"

    def take(self, path: Path) -> Take:
        """Read one file; raises CrosscaleError when the library is missing."""
        with needs(f"{path.name} is C3D, which", extra="c3d"):
            import c3d
        with faults_named(path), path.open("rb") as file:
            try:
                with warnings.catch_warnings(record=True):
                    return _take(c3d.Reader(file), file)
            except (BadClip, OSError):
                raise
            except Exception as error:  # the library fails in many ways on damaged files
                reason = shown(f"{type(error).__name__}: {error}", 100)
                raise BadClip(f"is not a whole C3D file ({reason})") from None

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The second byte of every file."""
        return "has the mark of a C3D file" if beginning(path)[1:2] == SIGNATURE else None


def _take(reader: Any, file: BinaryIO) -> Take:
    points = _points(reader, file)
    labels = [readable(label.strip()) for label in reader.point_labels][: points.shape[1]]
    subjects: dict[str, dict[str, int]] = {}
    for place, label in enumerate(labels):
        subject, _, marker = label.rpartition(":")
        if marker:
            subjects.setdefault(subject, {}).setdefault(marker, place)
    if not subjects:
        raise BadClip("no point has a label")
    names = tuple(dict.fromkeys(marker for found in subjects.values() for marker in found))
    joints = np.full((len(points), len(subjects), len(names), 3), np.nan)
    for body, found in enumerate(subjects.values()):
        joints[:, body, [names.index(marker) for marker in found]] = points[:, list(found.values())]
    unit = reader.get("POINT:UNITS")
    return Take(
        names=names,
        bodies=tuple(subject or "0" for subject in subjects),
        joints=joints,
        frame_rate=rate_of(reader.point_rate),
        metres=metres_of(unit.string_value if unit is not None else ""),
    )


def _points(reader: Any, file: BinaryIO) -> np.ndarray:
    """(T, points, 3) in the file's unit, NaN where a point is invalid."""
    frames, points = int(reader.frame_count), int(reader.point_used)
    size = file.seek(0, 2) - (reader.header.data_block - 1) * 512
    each = 4 * points * (4 if reader.point_scale < 0 else 2)
    if points == 0 or frames < 1:
        raise BadClip("has no points")
    if frames * each > size:
        raise BadClip(
            f"says {frames} frames of {points} points, which {max(size, 0)} bytes cannot hold; "
            "the file is cut off"
        )
    found = [point.copy() for _, point, _ in reader.read_frames(copy=False)]
    if len(found) < frames:
        raise BadClip(f"says {frames} frames, {len(found)} follow; the file is cut off")
    stacked = np.stack(found)
    return np.where(stacked[..., 3:4] < 0, np.nan, stacked[..., :3])
