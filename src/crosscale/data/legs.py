"""Hips and legs out of sight, as of somebody at a desk or filmed from the belt upwards.

They are put as of somebody who stands, in line with the torso, so that what the upper body does can
be told. Limbs are as long as those of the performers of motion programs.
"""

from collections.abc import Sequence

import numpy as np

# Of a head seen from the side, one eye and one ear are hidden all the time.
FACE = frozenset(
    [
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_mouth", "right_mouth"),
        *("left_eye_inner", "left_eye_outer", "right_eye_inner", "right_eye_outer"),
    ]
)
HEAD = FACE | {"head"}
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
# Between the middles of shoulders and hips.
TRUNK = {
    **dict.fromkeys(("mid_hip", "hip_centre", "spine_base", "pelvis"), 1.0),
    **dict.fromkeys(("spine", "spine_mid", "spine_navel"), 0.6),
}
WIDE, ARM = 1.4, 1.8  # the torso's length, in widths between shoulders, and in upper arms
HIPS = 0.6  # width between the hips, in widths between the shoulders
FULL = 0.9  # share of frames in which these look shorter than they are, from one side
SIDES = ("left", "right")


def standing(x: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Put hips and legs that are missing where shoulders are there.

    Args:
        x: one body (T, V, C), NaN where a joint is missing.
        names: of the V joints.

    Returns:
        The joints, and which of them were put (T, V).
    """
    at = {name: joint for joint, name in enumerate(names)}
    missing = np.isnan(x).any(-1)
    nothing = np.zeros_like(missing)
    shoulders, hips = (_pair(at, part) for part in ("shoulder", "hip"))
    if not shoulders or not hips:
        return x, nothing
    legs = [
        (at[f"{side}_{part}"], at[f"{side}_{above}"], length)
        for part, above, length in BELOW
        for side in SIDES
        if at.keys() >= {f"{side}_{part}", f"{side}_{above}"}
    ]
    trunk = {at[name]: share for name, share in TRUNK.items() if name in at}
    lower = [*hips, *trunk, *(joint for joint, _, _ in legs)]
    there = ~missing[:, shoulders].any(1)
    if not missing[there][:, lower].any():
        return x, nothing
    filled = x.copy()

    def put(joint: int, places: np.ndarray) -> None:
        filled[:, joint] = np.where(missing[:, joint, None], places, x[:, joint])

    middle = x[:, shoulders].mean(1)
    across = HIPS * (x[:, shoulders[1]] - x[:, shoulders[0]])
    put(hips[0], x[:, hips[1]] - across)
    put(hips[1], x[:, hips[0]] + across)
    down = _torso(filled[there], at, shoulders, hips)
    for hip, beside in zip(hips, (-across / 2, across / 2), strict=True):
        filled[:, hip] = np.where(np.isnan(filled[:, hip]), middle + down + beside, filled[:, hip])
    for joint, share in trunk.items():
        put(joint, middle + share * (filled[:, hips].mean(1) - middle))
    for joint, over, length in legs:
        put(joint, filled[:, over] + length * down)
    return filled, missing & ~np.isnan(filled).any(-1)


def upwards(x: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(N, C) from between the shoulders to the head, of bodies (N, V, C); NaN where missing."""
    at = {name: joint for joint, name in enumerate(names)}
    shoulders, head = _pair(at, "shoulder"), [at[name] for name in names if name in HEAD]
    if not shoulders or not head:
        return np.full((len(x), x.shape[-1]), np.nan)
    seen = ~np.isnan(x[:, head]).any(-1, keepdims=True)
    total = np.where(seen, x[:, head], 0).sum(1)
    count = seen.sum(1)
    middle = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return np.asarray(middle - x[:, shoulders].mean(1))


def _pair(at: dict[str, int], part: str) -> list[int]:
    """Places of a part's joints, left and right, if both are there."""
    names = [f"{side}_{part}" for side in SIDES]
    return [at[name] for name in names] if at.keys() >= {*names} else []


def _torso(x: np.ndarray, at: dict[str, int], shoulders: list[int], hips: list[int]) -> np.ndarray:
    """(C,) from shoulders to hips in most frames; without hips straight down."""
    torso = x[:, hips].mean(1) - x[:, shoulders].mean(1)
    if (seen := np.isfinite(torso).all(1)).any():
        return np.asarray(np.median(torso[seen], axis=0))
    arms = _pair(at, "elbow") or shoulders
    lengths = [
        many * np.quantile(known, FULL)
        for one, other, many in (
            (shoulders[0], shoulders[1], WIDE),
            (shoulders[0], arms[0], ARM),
            (shoulders[1], arms[1], ARM),
        )
        if len(known := _finite(np.linalg.norm(x[:, one] - x[:, other], axis=-1)))
    ]
    up = _finite(upwards(x, list(at))[:, 1])
    down = np.zeros(x.shape[-1])
    down[1] = -np.copysign(max(lengths), np.median(up) if len(up) else 1.0)
    return down


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]
