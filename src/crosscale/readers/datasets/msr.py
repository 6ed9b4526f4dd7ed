"""MSR-Action3D, the skeletons in world coordinates.

Li, Zhang, Liu, "Action recognition based on a bag of 3D points", CVPR workshops 2010: 20 actions,
10 subjects, up to three takes, 15 frames a second. `aAA_sSS_eEE_skeleton3D.txt` has 20 rows a
frame: x, y, z in metres (y up) and a confidence. The order of the joints, which the files do not
tell, is that of Vemulapalli, Arrate, Chellappa, "Human action recognition by representing 3D
skeletons as points in a Lie group", CVPR 2014, who bring UTKinect's order to it. Odd subjects
train in the common cross-subject protocol.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Published
from crosscale.readers.bodies import repaired
from crosscale.readers.files import faults_named, some_files, text_lines
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.layout import Layout

ENDING = "_skeleton3d.txt"
FRAME_RATE = 15.0
ACTIONS = (
    *("high arm wave", "horizontal arm wave", "hammer", "hand catch", "forward punch"),
    *("high throw", "draw x", "draw tick", "draw circle", "hand clap", "two hand wave"),
    *("side-boxing", "bend", "forward kick", "side kick", "jogging", "tennis swing"),
    *("tennis serve", "golf swing", "pickup & throw"),
)
JOINTS = (
    *("left_shoulder", "right_shoulder", "shoulder_centre", "spine", "left_hip", "right_hip"),
    *("hip_centre", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand"),
    *("right_hand", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot"),
    *("right_foot", "head"),
)
_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_skeleton3D", re.IGNORECASE)


@dataclass(frozen=True)
class MsrAction3d(Published):
    """MSR-Action3D: `aAA_sSS_eEE_skeleton3D.txt`."""

    name = "msr"
    layout = "kinect20"
    classes = ACTIONS

    def find(self, source: Path) -> list[Item]:
        """The files below `source` whose names end in `_skeleton3D.txt`.

        Raises:
            CrosscaleError: when there are none.
        """
        paths = [path for path in source.rglob("*.txt") if path.name.lower().endswith(ENDING)]
        if not paths:
            raise CrosscaleError(
                f"{source} has no files of MSR-Action3D, such as a01_s01_e01_skeleton3D.txt"
            )
        return sorted(Item(path.stem.rpartition("_")[0], path) for path in paths)

    def read(self, item: Item) -> Clip:
        """Read one file.

        Raises:
            BadClip: naming the file and the line.
        """
        where = item.path.name
        named = _NAME.fullmatch(item.path.stem)
        action, subject, repetition = map(int, named.groups()) if named else (0, 0, 0)
        if not 1 <= action <= len(ACTIONS):
            raise BadClip(
                f"{where}: the name does not have the form a01_s01_e01_skeleton3D.txt with an "
                f"action of 1 to {len(ACTIONS)}"
            )
        found = repaired(_joints(item.path)[:, None], ("0",), _layout().joints, where)
        return Clip(
            name=item.name,
            coordinates=found.coordinates,
            bodies=found.ids,
            label=ACTIONS[action - 1],
            subject=subject,
            repetition=repetition,
            frame_rate=FRAME_RATE,
            notes=found.notes,
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is MSR-Action3D, or None."""
    for path in some_files(source, (ENDING,)):
        if _NAME.fullmatch(path.stem):
            return f"{path.name} is named as in MSR-Action3D"
    return None


def _joints(path: Path) -> np.ndarray:
    """(T, V, 3) in the layout's order, NaN where a joint lies in the sensor."""
    with faults_named(path):
        rows = number_table(text_lines(path), 4)
    if len(rows) == 0 or len(rows) % len(JOINTS):
        raise BadClip(
            f"{path.name}: has {len(rows)} rows, not {len(JOINTS)} for each frame; is it cut off?"
        )
    joints: np.ndarray = rows.reshape(-1, len(JOINTS), 4)[:, _layout().order_from(JOINTS), :3]
    joints[(joints == 0).all(-1)] = np.nan
    return joints


@cache
def _layout() -> Layout:
    return Layout.load("kinect20")
