"""The beginning of a layout file, to be completed by whoever knows the joints."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from crosscale.skeleton.joint_names import LEFT, RIGHT, find_joints, plain_name
from crosscale.skeleton.layout import Layout

UNKNOWN = "?"


def starter_of(names: Sequence[str], edges: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """A layout of joints of which only the names are known, as plain data.

    Args:
        names: as a file has them; sides come to the front (`ankle_R` becomes `right_ankle`).
        edges: pairs of names (parent, child), where the file tells what hangs on what.
    """
    plain = [plain_name(name) for name in names]
    if find_joints(plain, names) != list(range(len(names))):
        plain = list(names)  # sides or capitals alone tell them apart
    called = dict(zip(names, plain, strict=True))
    above = {called[child]: called[parent] for parent, child in edges}
    pairs = {
        what: [side + joint if side + joint in plain else UNKNOWN for side in (LEFT, RIGHT)]
        for what, joint in (("shoulders", "shoulder"), ("hips", "hip"))
    }
    return {
        "name": "mine",
        "joints": plain,
        "centre": UNKNOWN,
        "root": [UNKNOWN],
        **pairs,
        "parents": {joint: above.get(joint, UNKNOWN) for joint in plain},
    }


def starter_text(source: Mapping[str, Any]) -> str:
    """The file of a layout that is to be completed, with its ten parts to be filled in.

    Args:
        source: the layout as plain data, without scales.
    """
    ten = Layout.load("part10").to_dict()["scales"]["part10"]
    parts = {"part10": {**ten, "parts": {part: [UNKNOWN] for part in ten["parts"]}}}
    text: str = yaml.safe_dump(
        {**source, "scales": parts},
        sort_keys=False,
        width=96,
        default_flow_style=None,
        allow_unicode=True,
    )
    return text
