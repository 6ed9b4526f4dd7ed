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
from pathlib import Path

import numpy as np

from crosscale.data.bodies import repaired
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.datasets.published import Published, numbered
from crosscale.readers.files import faults_named, text_lines
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.layout import Layout

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


@dataclass(frozen=True)
class MsrAction3d(Published):
    """MSR-Action3D: `aAA_sSS_eEE_skeleton3D.txt`."""

    name = "msr"
    layout = "kinect20"
    actions = numbered(ACTIONS)
    frame_rate = 15.0
    title = "MSR-Action3D"
    files = "files of MSR-Action3D, such as a01_s01_e01_skeleton3D.txt"
    endings = ("_skeleton3d.txt",)
    form = re.compile(r"a(?P<action>\d\d)_s(?P<subject>\d\d)_e(?P<repetition>\d\d)", re.IGNORECASE)
    misnamed = (
        "the name does not have the form a01_s01_e01_skeleton3D.txt with an action of 1 to "
        f"{len(ACTIONS)}"
    )

    @classmethod
    def item_name(cls, path: Path) -> str:
        """The name without `_skeleton3D`."""
        return path.stem.rpartition("_")[0]

    def bodies(self, item: Item) -> Bodies:
        """One body; a joint that lies in the sensor is missing."""
        where = item.path.name
        with faults_named(item.path):
            rows = number_table(text_lines(item.path), 4)
        if len(rows) == 0 or len(rows) % len(JOINTS):
            raise BadClip(
                f"{where}: has {len(rows)} rows, not {len(JOINTS)} for each frame; is it cut off?"
            )
        layout = Layout.load(self.layout)
        joints = rows.reshape(-1, len(JOINTS), 4)[:, layout.order_from(JOINTS), :3]
        joints[(joints == 0).all(-1)] = np.nan
        return repaired(joints[:, None], ("0",), layout.joints, where)
