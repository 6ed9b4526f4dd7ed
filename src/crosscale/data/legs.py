"""Legs that a recording never shows, of somebody at a desk or filmed from the belt upwards.

They are put as of somebody who stands, in line with the torso, and hips straight below the
shoulders, so that what the upper body does can be told. Limbs are as long as those of the
performers of motion programs.
"""

from collections.abc import Sequence

import numpy as np

# Each joint, the one that it lies below, and how far, in lengths of the torso.
BELOW = (
    ("knee", "hip", 0.85),
    ("ankle", "knee", 0.8),
    ("heel", "ankle", 0.1),
    ("foot", "ankle", 0.1),
    ("foot_index", "ankle", 0.1),
    ("big_toe", "ankle", 0.1),
    ("small_toe", "ankle", 0.1),
)
TORSO = 1.4  # its length, in widths between the shoulders
HIPS = 0.6  # width between the hips, likewise
FACING = 0.9  # share of frames in which the shoulders look narrower than to whom they are turned
SIDES = ("left", "right")


def standing(
    x: np.ndarray, hidden: np.ndarray, names: Sequence[str], face: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Put hips and legs that are not in sight as those of somebody who stands.

    Args:
        x: one body (T, V, C), NaN where a joint is missing.
        hidden: (V,) joints that are never in sight.
        names: of the V joints.
        face: places of those of the face.

    Returns:
        The joints, and which of them were put so (V,).
    """
    at = {name: joint for joint, name in enumerate(names)}
    put = np.zeros(len(names), bool)
    shoulders, hips = (
        [at[f"{side}_{part}"] for side in SIDES if f"{side}_{part}" in at]
        for part in ("shoulder", "hip")
    )
    legs = [
        (at[f"{side}_{part}"], at[f"{side}_{above}"], length)
        for part, above, length in BELOW
        for side in SIDES
        if at.keys() >= {f"{side}_{part}", f"{side}_{above}"}
    ]
    lower = [*hips, *(joint for joint, _, _ in legs)]
    if len(shoulders + hips) < 4 or hidden[shoulders].any() or not hidden[lower].any():
        return x, put
    x = x.copy()
    seen = [] if hidden[hips].any() else hips
    down = _torso(x, shoulders, seen, [joint for joint in face if not hidden[joint]])
    if not seen:
        middle = x[:, shoulders].mean(1, keepdims=True)
        x[:, hips] = middle + HIPS * (x[:, shoulders] - middle) + down
        put[hips] = True
    if "mid_hip" in at and hidden[at["mid_hip"]]:
        x[:, at["mid_hip"]] = x[:, hips].mean(1)
        put[at["mid_hip"]] = True
    for joint, over, length in legs:
        if hidden[joint]:
            x[:, joint] = x[:, over] + length * down
            put[joint] = True
    return x, put


def _torso(x: np.ndarray, shoulders: list[int], hips: list[int], face: list[int]) -> np.ndarray:
    """(C,) from shoulders to hips in most frames; without hips as long as shoulders are wide."""
    top = x[:, shoulders].mean(1)
    if hips:
        return np.asarray(np.nanmedian(x[:, hips].mean(1) - top, axis=0))
    width = np.nanquantile(np.linalg.norm(np.diff(x[:, shoulders], axis=1)[:, 0], axis=-1), FACING)
    from_face = np.nanmedian((top - x[:, face].mean(1))[:, 1]) if face else -1.0
    down = np.zeros(x.shape[-1])
    down[1] = np.copysign(TORSO * width, from_face)
    return down
