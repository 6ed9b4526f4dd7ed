"""The beginning of a layout file, to be completed by whoever knows the joints."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from crosscale.skeleton.joint_names import LEFT, RIGHT, find_joints, plain_name
from crosscale.skeleton.layout import UNKNOWN, Layout


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
    couples = {
        what: [side + joint for side in (LEFT, RIGHT)]
        for what, joint in (("shoulders", "shoulder"), ("hips", "hip"))
        if LEFT + joint in plain and RIGHT + joint in plain
    }
    return {
        "name": "mine",
        "joints": plain,
        **couples,
        "parents": {joint: above.get(joint, UNKNOWN) for joint in plain},
    }


START = """# joints: left out as you like; sides are told by left_ and right_ in front.
# parents: what each joint hangs on. Take out the line of the one that all others hang on.
# centre, root, shoulders, hips and scales may be added: docs/extend.md, A layout.
"""


def starter_text(source: Mapping[str, Any], *, parts: bool = False) -> str:
    """The file of a layout that is to be completed.

    Args:
        source: the layout as plain data, without scales.
        parts: with the ten parts of a person, to be filled in.
    """
    if parts:
        ten = Layout.load("part10").to_dict()["scales"]["part10"]
        empty = {**ten, "parts": {part: [UNKNOWN] for part in ten["parts"]}}
        source = {**source, "scales": {"part10": empty}}
    return "".join(_dumped(name, value) for name, value in source.items())


def _dumped(name: str, value: Any) -> str:
    """An entry of the file; parents have a line each, since one of them is to be taken out."""
    block = name == "parents" or isinstance(value, str)
    text: str = yaml.safe_dump(
        {name: value},
        sort_keys=False,
        width=96,
        default_flow_style=False if block else None,
        allow_unicode=True,
    )
    return text
