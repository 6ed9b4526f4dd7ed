"""UTD-MHAD, as MATLAB files.

Chen, Jafari, Kehtarnavaz, "UTD-MHAD: a multimodal dataset for human action recognition utilizing
a depth camera and a wearable inertial sensor", ICIP 2015. Kinect v1, 30 frames a second, metres.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Published
from crosscale.readers.bodies import refuse_far, single
from crosscale.readers.files import some_files
from crosscale.readers.safe.matlab import matlab_numbers
from crosscale.skeleton.layout import Layout

VARIABLE = "d_skel"
FRAME_RATE = 30.0
# a1 to a27
ACTIONS = (
    "swipe left",
    "swipe right",
    "wave",
    "clap",
    "throw",
    "cross arms",
    "basketball shoot",
    "draw x",
    "draw circle clockwise",
    "draw circle counter-clockwise",
    "draw triangle",
    "bowling",
    "boxing",
    "baseball swing",
    "tennis swing",
    "arm curl",
    "tennis serve",
    "push",
    "knock on door",
    "catch",
    "pick up and throw",
    "jog",
    "walk",
    "sit to stand",
    "stand to sit",
    "lunge",
    "squat",
)
# the data set's own order (Skeleton_joint_order.txt)
JOINTS = (
    *("head", "shoulder_centre", "spine", "hip_centre"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
)
_NAME = re.compile(r"a(\d{1,2})_s(\d)_t(\d)_skeleton")


@dataclass(frozen=True)
class UtdMhad(Published):
    """UTD-MHAD: `aA_sS_tT_skeleton.mat` with the variable `d_skel` (20 joints, 3, frames)."""

    name = "utdmhad"
    layout = "kinect20"
    classes = ACTIONS

    def find(self, source: Path) -> list[Item]:
        """The `*_skeleton.mat` files below `source`.

        Raises:
            CrosscaleError: when there are none.
        """
        items = [Item(path.stem, path) for path in source.rglob("*_skeleton.mat")]
        if not items:
            raise CrosscaleError(
                f"{source} has no files of UTD-MHAD, such as a1_s1_t1_skeleton.mat"
            )
        return sorted(items)

    def read(self, item: Item) -> Clip:
        """Read one file.

        Raises:
            BadClip: naming the file and what is wrong with it.
        """
        named = _NAME.fullmatch(item.path.stem)
        action, subject, repetition = map(int, named.groups()) if named else (0, 0, 0)
        if not 1 <= action <= len(ACTIONS):
            raise BadClip(
                f"{item.path.name}: the name does not have the form a1_s1_t1_skeleton.mat with an "
                f"action of 1 to {len(ACTIONS)}"
            )
        joints = _variable(item.path)[_order()].transpose(2, 0, 1)
        refuse_far(joints, item.path.name)
        return Clip(
            name=item.name,
            coordinates=single(joints[:, None]),
            bodies=("0",),
            label=ACTIONS[action - 1],
            subject=subject,
            repetition=repetition,
            frame_rate=FRAME_RATE,
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is UTD-MHAD, or None."""
    for path in some_files(source, (".mat",)):
        if _NAME.fullmatch(path.stem):
            return f"{path.name} is named as in UTD-MHAD"
    return None


def _variable(path: Path) -> np.ndarray:
    """The variable of a file, (V, 3, T) metres in the file's joint order."""
    joints = matlab_numbers(path, VARIABLE)
    if joints.ndim != 3 or joints.shape[:2] != (len(JOINTS), 3):
        raise BadClip(
            f"{path.name}: {VARIABLE} is {joints.dtype} of shape {joints.shape}, not numbers of "
            f"shape ({len(JOINTS)}, 3, frames)"
        )
    return joints


@cache
def _order() -> list[int]:
    return Layout.load("kinect20").order_from(JOINTS)
