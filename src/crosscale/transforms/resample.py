"""Where the frames of the result lie between the rows of a recording: length, gaps, ends.

A body that is away for some frames moves in a straight line meanwhile, and is held before its
first and after its last frame. Filling gaps and resampling are both linear between two rows that
are there, so each resulting frame needs two rows and a share, whatever lies between.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from crosscale.data.recordings import Recordings
from crosscale.transforms.frames import centres
from crosscale.transforms.settings import Length

# Somebody moves while the fastest quarter of the joints is a fifth as fast as at the best of times,
# from two moments before to three after: sensors tremble from one to the next.
MOMENTS = 48  # of a clip, at which is looked
SLOW, FAST = 0.2, 0.95
AROUND = 1  # moments kept before and after


@dataclass(frozen=True)
class Samples:
    """For every body that is there, the rows between which its T frames lie.

    Attributes:
        there: (N, M) whether a body is there at all.
        low: (P, T) row before, or the nearest row at the ends.
        high: (P, T) row after.
        share: (P, T) float32, 0 at `low` to 1 at `high`.
        start: (P,) row that stands for the clip's first frame.
    """

    there: np.ndarray
    low: np.ndarray
    high: np.ndarray
    share: np.ndarray
    start: np.ndarray

    def take(self, bodies: np.ndarray) -> "Samples":
        """Those of these bodies, by number."""
        own = {name: getattr(self, name)[bodies] for name in ("low", "high", "share", "start")}
        return replace(self, **own)


def sample(recordings: Recordings, frames: int, bodies: int, length: Length) -> Samples:
    """Spread `frames` frames evenly over each clip, as middles of equal slices.

    Args:
        recordings: N clips of one frame or more.
        frames: T.
        bodies: M; further ones are left out.
        length: see `Preprocess`.
    """
    time = np.arange(recordings.frames.max(initial=1))
    body = np.arange(bodies)[:, None]
    first, wide = recordings.first[:, None, None], recordings.bodies[:, None, None]
    recorded = (time < recordings.frames[:, None, None]) & (body < wide)  # (N, M, L)
    row = np.where(recorded, first + time * wide + body, first)
    seen = recorded & np.isfinite(recordings.rows[row, 0, 0])
    begin, count = _window(recordings, row, seen, recorded, length)
    inside = (time >= begin[:, None]) & (time < (begin + count)[:, None])  # (N, L)
    seen &= inside[:, None]
    there = seen.any(axis=2)
    clip, member = np.nonzero(there)
    before, after = _neighbours(seen[clip, member])  # (P, L)
    base, stride = recordings.first[clip] + member, recordings.bodies[clip]
    if length == "moving":
        at = _places(begin, count, MOMENTS)
        low, high, share = _between(at[clip], before, after)
        before_it = recordings.rows[base[:, None] + low * stride[:, None]]
        after_it = recordings.rows[base[:, None] + high * stride[:, None]]
        begin, count = _moving(before_it, after_it, share, clip, at)
    at = _places(begin, count, frames)
    low, high, share = _between(at[clip], before, after)
    start = np.take_along_axis(after, begin[clip, None], axis=1)[:, 0]
    return Samples(
        there=there,
        low=base[:, None] + low * stride[:, None],
        high=base[:, None] + high * stride[:, None],
        share=share,
        start=base + start * stride,
    )


def _window(
    recordings: Recordings,
    row: np.ndarray,
    seen: np.ndarray,
    recorded: np.ndarray,
    length: Length,
) -> tuple[np.ndarray, np.ndarray]:
    """First frame and number of frames that count, (N,) each; never fewer than one frame."""
    if length == "published":
        joint = recordings.rows[row[:, 0], 0]  # (N, L, C)
        moved = np.isfinite(joint).all(axis=2) & np.any(joint != 0, axis=2)
        away = recorded[:, 0] & moved
        return np.zeros(len(row), np.int64), away.sum(axis=1).clip(min=1)
    somebody: np.ndarray = np.any(seen, axis=1)  # (N, L)
    begin = somebody.argmax(axis=1)
    end = somebody.shape[1] - somebody[:, ::-1].argmax(axis=1)
    return begin, np.where(somebody.any(axis=1), end - begin, 1)


def _places(begin: np.ndarray, count: np.ndarray, frames: int) -> np.ndarray:
    """Middles (N, T) of equal slices of a clip's frames, from `begin` on, `count` of them."""
    middles = centres(torch.from_numpy(count).double(), frames).numpy()
    return np.asarray(begin[:, None] + middles.clip(0, count[:, None] - 1))


def _moving(
    low: np.ndarray, high: np.ndarray, share: np.ndarray, clip: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First frame and number of frames, (N,) each, in which somebody moves, and some around.

    Args:
        low: rows (P, T, V, C) before each of T moments, of all bodies that are there.
        high: after.
        share: (P, T) from one to the other.
        clip: (P,) of the bodies.
        at: (N, T) the moments, in frames.
    """
    x = low + share[..., None, None] * (high - low)
    moments = at.shape[1]
    moment = np.arange(moments - 1)
    way = x[:, (moment + 3).clip(max=moments - 1)] - x[:, (moment - 2).clip(0)]
    speed = np.sqrt(np.einsum("ptvc,ptvc->ptv", way, way))  # (P, T - 1, V)
    fastest = -(-speed.shape[2] // 4)
    speed = np.partition(speed, -fastest, axis=2)[..., -fastest:].mean(2)
    speeds = np.zeros((len(at), speed.shape[1]), speed.dtype)
    np.maximum.at(speeds, clip, speed)
    moves = speeds > SLOW * np.quantile(speeds, FAST, axis=1, keepdims=True)
    moves[~moves.any(axis=1)] = True  # who stands still all the time
    first = (moves.argmax(axis=1) - AROUND).clip(0)
    last = (moments - 1 - moves[:, ::-1].argmax(axis=1) + AROUND).clip(max=moments - 1)
    number = np.arange(len(at))
    begin, end = (np.rint(at[number, moment]).astype(np.int64) for moment in (first, last))
    return begin, end - begin + 1


def _neighbours(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest frame that shows a body, at or before and at or after each frame, (P, L).

    At the ends, where there is none, it is the nearest on the other side.
    """
    time = np.arange(seen.shape[1])
    before = np.maximum.accumulate(np.where(seen, time, -1), axis=1)
    after = np.where(seen, time, seen.shape[1])[:, ::-1]
    after = np.minimum.accumulate(after, axis=1)[:, ::-1]
    none_before, none_after = before < 0, after == seen.shape[1]
    return np.where(none_before, after, before), np.where(none_after, before, after)


def _between(
    at: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames around each place (P, T) and how far it lies from the lower one."""
    whole = np.floor(at).astype(np.int64)
    low = np.take_along_axis(before, whole, axis=1)
    above = np.minimum(np.ceil(at).astype(np.int64), before.shape[1] - 1)
    high = np.take_along_axis(after, above, axis=1)
    apart = high - low
    share = (at - low) / np.where(apart > 0, apart, 1)
    return low, high, np.where(apart > 0, share.clip(0, 1), 0).astype(np.float32)
