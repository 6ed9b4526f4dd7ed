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
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from crosscale.data.bodies import by_frame, refuse_far, repaired
from crosscale.data.clip import Clip
from crosscale.data.tracks import Bodies
from crosscale.readers.base import Item
from crosscale.readers.datasets.published import Published, numbered
from crosscale.readers.files import faults_named, text_lines
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.layout import Layout

FILE = "skeleton_pos.txt"
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
    actions = numbered(ACTIONS)
    frame_rate = 15.0
    title = "SBU"
    files = f"files of SBU, such as s01s02/01/001/{FILE}"
    endings = (FILE,)
    form = re.compile(r"s(?P<subject>\d\d)s\d\d_(?P<action>\d\d)_(?P<repetition>\d\d\d)")
    misnamed = f"does not lie in folders as s01s02/01/001, the second of 01 to {len(ACTIONS):02}"

    @classmethod
    def item_name(cls, path: Path) -> str:
        """The names of the three folders that a file lies in."""
        return "_".join(path.absolute().parts[-4:-1])

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Its name."""
        return "is called as the files of SBU"

    def read(self, item: Item) -> Clip:
        """Read one file; see `Reader`."""
        return replace(super().read(item), setup=FOLD.get(item.name[:6]))

    def bodies(self, item: Item) -> Bodies:
        """Two bodies; a joint that was lost is missing."""
        with faults_named(item.path, item.name):
            lines = [line.rstrip(", ") for line in text_lines(item.path)]
            rows = number_table(lines, 1 + 3 * PEOPLE * COUNT, separator=",")
        normalised = rows[:, 1:].reshape(len(rows), PEOPLE, COUNT, 3)
        refuse_far(normalised, item.name)
        lost = (normalised == 0).all(-1, keepdims=True)
        joints = np.where(lost, np.nan, ZERO + STEP * normalised)
        joints, notes = by_frame(rows[:, 0], joints, item.name)
        found = repaired(joints, ("0", "1"), Layout.load(self.layout).joints, item.name)
        return replace(found, notes=(*notes, *found.notes))
