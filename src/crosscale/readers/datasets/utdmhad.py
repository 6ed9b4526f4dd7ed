"""UTD-MHAD, as MATLAB files.

Chen, Jafari, Kehtarnavaz, "UTD-MHAD: a multimodal dataset for human action recognition utilizing
a depth camera and a wearable inertial sensor", ICIP 2015. Kinect v1, 30 frames a second, metres.
"""

import re
from dataclasses import dataclass

from crosscale.data.bodies import refuse_far, single
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.datasets.published import Published, numbered
from crosscale.readers.safe.matlab import matlab_numbers
from crosscale.skeleton.layout import Layout

VARIABLE = "d_skel"
# a1 to a27
ACTIONS = (
    *("swipe left", "swipe right", "wave", "clap", "throw", "cross arms", "basketball shoot"),
    *("draw x", "draw circle clockwise", "draw circle counter-clockwise", "draw triangle"),
    *("bowling", "boxing", "baseball swing", "tennis swing", "arm curl", "tennis serve", "push"),
    *("knock on door", "catch", "pick up and throw", "jog", "walk", "sit to stand"),
    *("stand to sit", "lunge", "squat"),
)
# the data set's own order (Skeleton_joint_order.txt)
JOINTS = (
    *("head", "shoulder_centre", "spine", "hip_centre"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
)


@dataclass(frozen=True)
class UtdMhad(Published):
    """UTD-MHAD: `aA_sS_tT_skeleton.mat` with the variable `d_skel` (20 joints, 3, frames)."""

    name = "utdmhad"
    layout = "kinect20"
    actions = numbered(ACTIONS)
    frame_rate = 30.0
    title = "UTD-MHAD"
    files = "files of UTD-MHAD, such as a1_s1_t1_skeleton.mat"
    endings = ("_skeleton.mat",)
    form = re.compile(r"a(?P<action>\d{1,2})_s(?P<subject>\d)_t(?P<repetition>\d)_skeleton")
    misnamed = (
        "the name does not have the form a1_s1_t1_skeleton.mat with an action of 1 to "
        f"{len(ACTIONS)}"
    )

    def bodies(self, item: Item) -> Bodies:
        """One body, its joints in the layout's order."""
        joints = matlab_numbers(item.path, VARIABLE)
        if joints.ndim != 3 or joints.shape[:2] != (len(JOINTS), 3):
            raise BadClip(
                f"{item.path.name}: {VARIABLE} is {joints.dtype} of shape {joints.shape}, not "
                f"numbers of shape ({len(JOINTS)}, 3, frames)"
            )
        joints = joints[Layout.load(self.layout).order_from(JOINTS)].transpose(2, 0, 1)
        refuse_far(joints, item.path.name)
        return Bodies(single(joints[:, None]), ("0",), ())
