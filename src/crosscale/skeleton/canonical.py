"""The canonical body: sixteen places that every sensor of people tells, from its ten parts.

Sensors differ in their joints; shoulders, hips and ten parts each layout of people names. An upper
arm is where shoulder and elbow are, a thigh where hip and knee are: what of such a part is not the
shoulder, or the hip, is the elbow, or the knee. Hands, feet, head and torso are the parts at the
ends of limbs and trunk; neck and pelvis lie in the middle between shoulders and hips.
"""

import numpy as np
from numpy.typing import NDArray

from crosscale.skeleton.layout import PEOPLE, Layout

CANONICAL = "body16"
_SIDES = ("left", "right")


def canonical_pooling(layout: Layout) -> NDArray[np.float32]:
    """Weights (16, J) that make the places of `body16` from a layout's J joints.

    A layout that does not tell an elbow from its upper arm, or a knee from its thigh, has the part
    in its place.

    Args:
        layout: of people: it has a scale `part10`.
    """
    ten = layout.scales[PEOPLE]
    parts = dict(zip(ten.names, ten.pooling, strict=True))
    one = np.eye(len(layout.joints))

    def rest(part: str, joint: int) -> NDArray[np.float64]:
        others = np.where(one[joint] > 0, 0.0, parts[part])
        return others / others.sum() if others.any() else parts[part]

    places = {
        "pelvis": one[list(layout.hips)].mean(0),
        "torso": parts["torso"],
        "neck": one[list(layout.shoulders)].mean(0),
        "head": parts["head"],
    }
    for side, shoulder, hip in zip(_SIDES, layout.shoulders, layout.hips, strict=True):
        places |= {
            f"{side}_shoulder": one[shoulder],
            f"{side}_elbow": rest(f"{side}_upper_arm", shoulder),
            f"{side}_hand": parts[f"{side}_forearm"],
            f"{side}_hip": one[hip],
            f"{side}_knee": rest(f"{side}_thigh", hip),
            f"{side}_foot": parts[f"{side}_shank"],
        }
    weights = np.stack([places[name] for name in Layout.load(CANONICAL).joints])
    return weights.astype(np.float32)
