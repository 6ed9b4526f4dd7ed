"""Northwestern-UCLA Multiview Action 3D, as JSON files.

Wang et al., "Cross-view action modeling, learning and recognition", CVPR 2014. Kinect v1, metres
in camera space. The JSON files are those that the graph-convolution papers use: one object a
sequence with `file_name`, `skeletons` (frames, 20 joints, x y z) and `label`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.bodies import refuse_far
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.datasets.published import Published
from crosscale.readers.files import is_meant, refuse_absent
from crosscale.readers.safe.json_file import json_beginning, load_json
from crosscale.utils.text import shown

FOLDER = "all_sqe"
JOINTS = 20
KEYS = {"file_name", "label", "skeletons"}
# label 1 to 10, and the number in the file name that goes with it
ACTIONS = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}


@dataclass(frozen=True)
class NwUcla(Published):
    """NW-UCLA: `aAA_sSS_eEE_vVV.json` in the folder `all_sqe`."""

    name = "nwucla"
    layout = "kinect20"
    actions = ACTIONS
    title = "NW-UCLA"
    files = f"JSON files of NW-UCLA, such as {FOLDER}/a01_s01_e00_v01.json"
    endings = (".json",)
    form = re.compile(
        r"a(?P<action>\d\d)_s(?P<subject>\d\d)_e(?P<repetition>\d\d)_v(?P<camera>\d\d)"
    )
    misnamed = (
        "the name does not have the form a01_s01_e00_v01.json with an action of "
        f"{', '.join(map(str, ACTIONS))}"
    )

    def find(self, source: Path) -> list[Item]:
        """The JSON files in `source/all_sqe`, or in `source` if it has no such folder."""
        refuse_absent(source)
        folder = source / FOLDER if (source / FOLDER).is_dir() else source
        items = [Item(path.stem, path) for path in folder.glob("*.json") if is_meant(path.name)]
        if not items:
            raise CrosscaleError(f"{source} has no {self.files}")
        return sorted(items)

    def bodies(self, item: Item) -> Bodies:
        """One body; absent where the sensor lost joints."""
        where = item.path.name
        content = load_json(item.path)
        if not isinstance(content, dict) or not content.keys() >= KEYS:
            raise BadClip(f"{where}: must be an object with {', '.join(sorted(KEYS))}")
        label = list(ACTIONS).index(int(item.name[1:3])) + 1
        if content["file_name"] != item.name or content["label"] != label:
            raise BadClip(
                f"{where}: says inside that it is {shown(content['file_name'])} "
                f"with label {shown(content['label'])}; by its name the label is {label}"
            )
        joints = _joints(where, content["skeletons"])
        # where the sensor lost joints they lie exactly in the camera, and drag others along
        lost = np.flatnonzero((joints == 0).all(-1).any(-1))
        joints[lost] = np.nan
        notes = (f"frames with joints in the origin left out: {len(lost)}",) if len(lost) else ()
        return Bodies(joints[:, None], ("0",), notes)

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Its name, and a key."""
        if cls.form.fullmatch(path.stem) and '"skeletons":' in json_beginning(path):
            return "is named as in NW-UCLA and has skeletons"
        return None


def _joints(where: str, skeletons: Any) -> np.ndarray:
    """(T, V, 3) metres, float32."""
    try:
        joints = np.array(skeletons, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadClip(
            f"{where}: skeletons are not numbers of one shape, (frames, {JOINTS}, 3)"
        ) from None
    if joints.ndim != 3 or joints.shape[1:] != (JOINTS, 3):
        raise BadClip(f"{where}: skeletons have shape {joints.shape}, not (frames, {JOINTS}, 3)")
    refuse_far(joints, where)
    return joints.astype(np.float32)
