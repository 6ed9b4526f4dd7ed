"""SBU Kinect Interaction: what two people do with each other.

Yun, Honorio, Chattopadhyay, Berg, Samaras, "Two-person interaction detection using body-pose
features and multiple instance learning", CVPR workshops 2012: 8 interactions, 21 pairs, 15 frames
a second. In `sXXsYY/AA/NNN/skeleton_pos.txt` each line is a frame: its number and, for each of the
two people, x y z of OpenNI's 15 joints, normalised. Its description gives the way back, in
millimetres: x = 1280 - 2560 x', y = 960 - 1920 y', z = 10000 z' / 7.8125. It also cuts the pairs
into five folds; a clip's set-up is the fold of its pair.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Published
from crosscale.readers.bodies import refuse_far, repaired
from crosscale.readers.files import faults_named, some_files, text_lines
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.layout import Layout

FILE = "skeleton_pos.txt"
FRAME_RATE = 15.0
PEOPLE, COUNT = 2, 15
ACTIONS = (
    *("approaching", "departing", "kicking", "pushing"),
    *("shaking hands", "hugging", "exchanging object", "punching"),
)
FOLDS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        1: ("s01s02", "s03s04", "s05s02", "s06s04"),
        2: ("s02s03", "s02s07", "s03s05", "s05s03"),
        3: ("s01s03", "s01s07", "s07s01", "s07s03"),
        4: ("s02s01", "s02s06", "s03s02", "s03s06"),
        5: ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
    }
)
FOLD = MappingProxyType({pair: fold for fold, pairs in FOLDS.items() for pair in pairs})
# metres = ZERO + STEP * normalised
ZERO = np.array([1.280, 0.960, 0.0])
STEP = np.array([-2.560, -1.920, 10 / 7.8125])


@dataclass(frozen=True)
class Sbu(Published):
    """SBU Kinect Interaction, its clean or its noisy version."""

    name = "sbu"
    layout = "sbu15"
    classes = ACTIONS

    def find(self, source: Path) -> list[Item]:
        """The files `sXXsYY/AA/NNN/skeleton_pos.txt` below `source`.

        Raises:
            CrosscaleError: when there are none.
        """
        paths = list(source.rglob(FILE))
        if not paths:
            raise CrosscaleError(f"{source} has no files of SBU, such as s01s02/01/001/{FILE}")
        return sorted(Item("_".join(path.absolute().parts[-4:-1]), path) for path in paths)

    def read(self, item: Item) -> Clip:
        """Read one file.

        Raises:
            BadClip: naming the file and the line.
        """
        named = re.fullmatch(r"s(\d\d)s(\d\d)_(\d\d)_(\d\d\d)", item.name)
        subject, _, action, repetition = map(int, named.groups()) if named else (0, 0, 0, 0)
        if not 1 <= action <= len(ACTIONS):
            raise BadClip(
                f"{item.path}: does not lie in folders as s01s02/01/001, the second of 01 to "
                f"{len(ACTIONS):02}"
            )
        found = repaired(_joints(item), ("0", "1"), _layout().joints, item.name)
        return Clip(
            name=item.name,
            coordinates=found.coordinates,
            bodies=found.ids,
            label=ACTIONS[action - 1],
            subject=subject,
            setup=FOLD.get(item.name[:6]),
            repetition=repetition,
            frame_rate=FRAME_RATE,
            notes=found.notes,
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is SBU, or None."""
    for path in some_files(source, (FILE,)):
        return f"it has files {path.name}"
    return None


def _joints(item: Item) -> np.ndarray:
    """(T, 2, V, 3) metres, NaN where a joint was lost."""
    with faults_named(item.path, item.name):
        lines = [line.rstrip(", ") for line in text_lines(item.path)]
        rows = number_table(lines, 1 + 3 * PEOPLE * COUNT, separator=",")
    normalised = rows[:, 1:].reshape(len(rows), PEOPLE, COUNT, 3)
    refuse_far(normalised, item.name)
    lost = (normalised == 0).all(-1, keepdims=True)
    return np.where(lost, np.nan, ZERO + STEP * normalised)


@cache
def _layout() -> Layout:
    return Layout.load("sbu15")
