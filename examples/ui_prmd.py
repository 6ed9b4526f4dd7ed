"""A reader of one's own where joints are told by the bone before: UI-PRMD's Kinect recordings.

crosscale prepare examples/ui_prmd.py:UiPrmd FOLDER --out STORE --frame-rate 30

The folder holds `positions/m01_s01_e01_positions.txt.gz` and `angles/m01_s01_e01_angles.txt.gz`,
movement, subject and repetition: 22 joints, their offsets in centimetres and angles in degrees.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from crosscale.data.clip import Clip
from crosscale.errors import BadClip
from crosscale.readers.base import Item, OwnRecordings
from crosscale.readers.files import faults_named, files_below, text_lines
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.hierarchy import layout_from_hierarchy

ARM, LEG = ("collar", "upper_arm", "forearm", "hand"), ("upper_leg", "lower_leg", "foot", "toes")
JOINTS = ["waist", "spine", "chest", "neck", "head", "head_tip"]
JOINTS += [f"{side}_{joint}" for limb in (ARM, LEG) for side in ("left", "right") for joint in limb]
PARENTS = [0, 0, 1, 2, 3, 4, 2, 6, 7, 8, 2, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20]


@dataclass(frozen=True)
class UiPrmd(OwnRecordings):
    """Recordings of exercises in two files, of offsets and of angles."""

    layout = layout_from_hierarchy("ui_prmd", JOINTS, PARENTS)

    def find(self, source: Path) -> list[Item]:
        """One recording for each file of positions."""
        found = files_below(source, ("_positions.txt.gz", "_positions.txt"), "files of positions")
        return [Item(item.path.name.partition("_positions")[0], item.path) for item in found]

    def read(self, item: Item) -> Clip:
        """Its clip; each joint lies where the turned bone before it ends."""
        named = re.fullmatch(r"m(\d+)_s(\d+)_e(\d+)", item.name)
        if named is None:
            raise BadClip(f"{item.path.name}: is not named as m01_s01_e01_positions.txt.gz")
        offsets = _rows(item.path)
        angles = _rows(Path(str(item.path).replace("positions", "angles")))
        if len(offsets) != len(angles):
            raise BadClip(f"{item.name}: {len(offsets)} rows of offsets, {len(angles)} of angles")
        places, turns = [offsets[:, 0]], [_turn(angles[:, 0])]
        for joint in range(1, len(JOINTS)):
            parent = PARENTS[joint]
            places.append(places[parent] + turns[parent].apply(offsets[:, joint]))
            turns.append(turns[parent] * _turn(angles[:, joint]))
        return Clip(
            name=item.name,
            coordinates=np.stack(places, axis=1)[:, None] / 100,
            bodies=("0",),
            label=f"m{named[1]}",
            subject=int(named[2]),
            repetition=int(named[3]),
        )


def _rows(path: Path) -> np.ndarray:
    """(frames, joints, 3) numbers of a file."""
    with faults_named(path):
        rows = number_table(text_lines(path), 3 * len(JOINTS), separator=",")
    return rows.reshape(-1, len(JOINTS), 3)


def _turn(angles: np.ndarray) -> Rotation:
    """About x, then y, then z, all of them fixed; degrees (frames, 3)."""
    return Rotation.from_euler("xyz", angles, degrees=True)
