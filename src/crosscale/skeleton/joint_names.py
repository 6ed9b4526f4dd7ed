"""Names of joints as software and sensors write them, brought to one form and matched."""

import os.path
import re
from collections.abc import Sequence

LEFT, RIGHT = "left_", "right_"

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SIDES = {"left": LEFT, "l": LEFT, "lft": LEFT, "right": RIGHT, "r": RIGHT, "rgt": RIGHT}
# written without a gap behind the letter of the side: lhumerus, rfoot (Acclaim, CMU)
_BONES = frozenset(
    [
        *("clavicle", "collar", "shoulder", "shldr", "arm", "upperarm", "humerus", "elbow"),
        *("forearm", "lowerarm", "radius", "ulna", "wrist", "hand", "fingers", "thumb"),
        *("hipjoint", "hip", "upleg", "thigh", "femur", "leg", "knee", "shin", "calf", "tibia"),
        *("ankle", "foot", "heel", "toes", "toe"),
    ]
)
_BRITISH = {"center": "centre"}


def plain_name(raw: str) -> str:
    """One form of a joint's name, the side in front: `mixamorig:LeftForeArm` → `left_fore_arm`.

    `ShoulderLeft`, `shoulder.L`, `L_Shoulder` and `LeftShoulder` all become `left_shoulder`.
    """
    words = [word.lower() for word in _WORD.findall(raw.rsplit(":", 1)[-1])]
    words = [_BRITISH.get(word, word) for word in words]
    side = ""
    for place, word in enumerate(words):
        found, rest = _side(word)
        if found:
            side, words[place] = found, rest
            break
    joined = ""
    for word in filter(None, words):
        joined += word if word.isdigit() or not joined else f"_{word}"
    return (side + joined).rstrip("_") or raw


def _side(word: str) -> tuple[str, str]:
    """The side that a word tells, and what is left of it."""
    if word in _SIDES:
        return _SIDES[word], ""
    for start, side in (("left", LEFT), ("right", RIGHT)):
        if word.startswith(start):
            return side, word.removeprefix(start)
    if word[1:] in _BONES and word[0] in "lr":
        return _SIDES[word[0]], word[1:]
    return "", word


def plain_names(raw: Sequence[str]) -> tuple[str, ...]:
    """`plain_name` of the joints of one skeleton, each another, every left_ with its right_.

    What all names but the first begin with (`Bip01 `, `mixamorig_`) is left out.
    """
    prefix = re.match(r".*[ _.:|-]|", os.path.commonprefix(list(raw[1:])))  # noqa: RUF071
    start = prefix.group() if prefix and len(raw) > 2 else ""
    names: list[str] = []
    for name in (plain_name(text.removeprefix(start)) for text in raw):
        count = sum(other == name or other.startswith(f"{name}__") for other in names)
        names.append(f"{name}__{count + 1}" if count else name)
    return tuple(name if other_side(name) in names else name.replace("_", "", 1) for name in names)


def other_side(name: str) -> str:
    """The name of the mirrored joint; a joint in the middle is its own."""
    for side, other in ((LEFT, RIGHT), (RIGHT, LEFT)):
        if name.startswith(side):
            return other + name.removeprefix(side)
    return name


def find_joints(wanted: Sequence[str], given: Sequence[str]) -> list[int | None]:
    """Places in `given` of the joints that are wanted, None for those that are not there.

    Case, gaps and the way to write the side do not matter: `left_sho` is found as `LSHO`.

    Args:
        wanted: joint names of a layout.
        given: names as a file has them.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(given):
        for key in (name, _key(plain_name(name)), _key(name.rsplit(":", 1)[-1])):
            places.setdefault(key, place)
    return [next((places[key] for key in _keys(name) if key in places), None) for name in wanted]


def _keys(name: str) -> tuple[str, ...]:
    for side in (LEFT, RIGHT):
        if name.startswith(side):
            rest = name.removeprefix(side)
            return name, _key(name), side[0] + _key(rest)
    return name, _key(name), _key(plain_name(name))


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
