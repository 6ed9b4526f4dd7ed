"""Joints that a sensor or pose estimator lost for a moment, or did not see at all."""

from dataclasses import dataclass

import numpy as np

from crosscale.data.legs import FACE, standing
from crosscale.errors import BadClip

GAP_SECONDS = 0.5  # in which a joint moves nearly straight
SHORT_GAP = 15  # frames; as long at the usual rate
# Share of a body's frames that must be whole for its clip to be used, or in pictures show a joint.
LEAST_SEEN = 0.2


@dataclass(frozen=True)
class Filled:
    """A body's joints, each frame whole or absent.

    Attributes:
        joints: (T, V, C), NaN in all joints of a frame that is not whole.
        notes: what was repaired, in words that begin alike for like things.
    """

    joints: np.ndarray
    notes: tuple[str, ...]


def fill_gaps(
    joints: np.ndarray, names: tuple[str, ...], where: str, longest: int = SHORT_GAP
) -> Filled:
    """Draw straight lines over short gaps, and leave out the frames that are still not whole.

    In pictures, where estimators lose joints for long, lines go over gaps of any length, and joints
    are held before their first and after their last sight, if a fifth of the frames shows them.

    Else nothing is made up beyond the first and the last sight of a joint, but for two. Joints of
    the face are so near each other that the middle of those in sight stands for one that is hidden.
    Hips and legs that are out of sight, of somebody at a desk, say, are put as of somebody who
    stands, see `legs`.

    Args:
        joints: one body (T, V, C), NaN where a joint was not seen.
        names: V joint names.
        where: the clip and body, for the message.
        longest: longest gap in frames that is filled in space.

    Raises:
        BadClip: when fewer than a fifth of the frames that show the body can be made whole;
            names the joint that is missing most.
    """
    seen = np.isfinite(joints).all(-1)  # (T, V)
    known = np.where(seen[..., None], joints, np.nan)
    filled, by_line = _lines(known, seen, None if joints.shape[-1] == 2 else longest)
    face = [j for j, name in enumerate(names) if name in FACE]
    filled[:, face], by_middle = _middles(filled[:, face])
    found = seen | by_line
    found[:, face] |= by_middle
    shown = seen.any(1)
    filled, put = standing(filled, names)
    found |= put
    whole = np.isfinite(filled).all((1, 2))
    if whole.sum() < LEAST_SEEN * max(1, shown.sum()):
        worst = int(np.argmin(found[shown].sum(0))) if shown.any() else 0
        share = found[shown, worst].mean() if shown.any() else 0.0
        raise BadClip(
            f"{where}: {names[worst]} is seen in {share:.0%} of the frames only; use a layout "
            "without it, or lower the confidence that is asked for"
        )
    counts = {
        "joints missing for a moment, filled by a line": int((by_line & whole[:, None]).sum()),
        "joints of the face out of sight, put amid the others": int(by_middle[whole].sum()),
        "joints of legs out of sight, put as of somebody who stands": int(put[whole].sum()),
        "frames with joints missing left out": int((shown & ~whole).sum()),
    }
    notes = tuple(f"{what}: {count}" for what, count in counts.items() if count)
    return Filled(np.where(whole[:, None, None], filled, np.nan), notes)


def _middles(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints missing from `x` (T, V, C) put amid those there, and where (T, V)."""
    there = np.isfinite(x).all(-1, keepdims=True)
    count = there.sum(1, keepdims=True)
    middle = np.where(there, x, 0).sum(1, keepdims=True) / np.maximum(count, 1)
    lost = ~there & (count > 0)
    return np.where(lost, middle, x), lost[..., 0]


def _lines(x: np.ndarray, seen: np.ndarray, longest: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Gaps of `x` (T, V, C) of up to `longest` frames filled, and where (T, V).

    None fills gaps of any length of joints that are seen in enough frames, also at the ends.
    """
    frames = np.arange(len(x))[:, None]
    before = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    last = len(x)
    after = np.minimum.accumulate(np.where(seen, frames, last)[::-1], axis=0)[::-1]
    shown = seen.any(1, keepdims=True)
    if longest is None:
        before, after = np.where(before < 0, after, before), np.where(after == last, before, after)
        fits = seen.sum(0) >= LEAST_SEEN * shown.sum()
    else:
        fits = after - before - 1 <= longest
    gap = ~seen & shown & (before >= 0) & (after < last) & fits
    joint = np.broadcast_to(np.arange(x.shape[1]), seen.shape)
    low, high = (x[at.clip(0, last - 1), joint] for at in (before, after))
    share = ((frames - before) / np.maximum(after - before, 1))[..., None]
    return np.where(gap[..., None], low + share * (high - low), x), gap
