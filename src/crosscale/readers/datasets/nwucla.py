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

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Published
from crosscale.readers.bodies import refuse_far
from crosscale.readers.safe.json_file import heads, load_json
from crosscale.utils.text import shown

FOLDER = "all_sqe"
JOINTS = 20
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
_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")


@dataclass(frozen=True)
class NwUcla(Published):
    """NW-UCLA: `aAA_sSS_eEE_vVV.json` in the folder `all_sqe`."""

    name = "nwucla"
    layout = "kinect20"
    classes = tuple(ACTIONS.values())

    def find(self, source: Path) -> list[Item]:
        """The JSON files in `source/all_sqe`, or in `source` if it has no such folder.

        Raises:
            CrosscaleError: when there are none.
        """
        folder = source / FOLDER if (source / FOLDER).is_dir() else source
        items = [Item(path.stem, path) for path in folder.glob("*.json")]
        if not items:
            raise CrosscaleError(
                f"{source} has no JSON files of NW-UCLA, such as {FOLDER}/a01_s01_e00_v01.json"
            )
        return sorted(items)

    def read(self, item: Item) -> Clip:
        """Read one file.

        Raises:
            BadClip: naming the file and what is wrong with it.
        """
        named = _NAME.fullmatch(item.path.stem)
        action, subject, repetition, view = map(int, named.groups()) if named else (0, 0, 0, 0)
        if action not in ACTIONS:
            raise BadClip(
                f"{item.path.name}: the name does not have the form a01_s01_e00_v01.json with an "
                f"action of {', '.join(map(str, ACTIONS))}"
            )
        content = _content(item.path)
        label = list(ACTIONS).index(action) + 1
        if content["file_name"] != item.path.stem or content["label"] != label:
            raise BadClip(
                f"{item.path.name}: says inside that it is {shown(content['file_name'])} "
                f"with label {shown(content['label'])}; by its name the label is {label}"
            )
        joints = _joints(item.path, content["skeletons"])
        # where the sensor lost joints they lie exactly in the camera, and drag others along
        lost = np.flatnonzero((joints == 0).all(-1).any(-1))
        joints[lost] = np.nan
        notes = (f"frames with joints in the origin left out: {len(lost)}",) if len(lost) else ()
        return Clip(
            name=item.name,
            coordinates=joints[:, None],
            bodies=("0",),
            label=ACTIONS[action],
            subject=subject,
            camera=view,
            repetition=repetition,
            notes=notes,
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is NW-UCLA, or None."""
    for path, text in heads(source):
        if _NAME.fullmatch(path.stem) and '"skeletons":' in text:
            return f"{path.name} is named as in NW-UCLA and has skeletons"
    return None


def _content(path: Path) -> dict[str, Any]:
    content = load_json(path)
    wanted = {"file_name", "label", "skeletons"}
    if not isinstance(content, dict) or not wanted <= content.keys():
        raise BadClip(f"{path.name}: must be an object with {', '.join(sorted(wanted))}")
    return content


def _joints(path: Path, skeletons: Any) -> np.ndarray:
    """(T, V, 3) metres."""
    try:
        joints = np.array(skeletons, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadClip(
            f"{path.name}: skeletons are not numbers of one shape, (frames, {JOINTS}, 3)"
        ) from None
    if joints.ndim != 3 or joints.shape[1:] != (JOINTS, 3):
        raise BadClip(
            f"{path.name}: skeletons have shape {joints.shape}, not (frames, {JOINTS}, 3)"
        )
    refuse_far(joints, path.name)
    return joints.astype(np.float32)
