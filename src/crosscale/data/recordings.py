"""The coordinates of many clips, one after the other in one array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recordings:
    """Clips of one layout, without padding between them.

    Attributes:
        rows: (R, V, C) metres; of a clip frame by frame, of a frame body by body; absent ones NaN.
        first: (N,) first row of each clip.
        frames: (N,) frames of each clip.
        bodies: (N,) bodies of each clip.
    """

    rows: np.ndarray
    first: np.ndarray
    frames: np.ndarray
    bodies: np.ndarray

    @classmethod
    def of(cls, clips: Sequence[np.ndarray], joints: int) -> "Recordings":
        """Clips (T, M, V, C) of V joints, copied into one array."""
        frames = np.array([len(clip) for clip in clips], np.int64)
        bodies = np.array([clip.shape[1] for clip in clips], np.int64)
        size = clips[0].shape[-1] if clips else 3
        rows = [np.empty((0, joints, size), np.float32)]
        rows += [clip.reshape(-1, joints, size) for clip in clips]
        first = np.cumsum(frames * bodies) - frames * bodies
        return cls(np.concatenate(rows), first, frames, bodies)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.first)

    @property
    def clip(self) -> np.ndarray:
        """(K,) clip of each of the clips' own rows, in order."""
        return np.repeat(np.arange(len(self)), self.frames * self.bodies)

    def alone(self) -> "Recordings":
        """The same clips, over a copy of their own rows only."""
        first = np.cumsum(self.frames * self.bodies) - self.frames * self.bodies
        clip = self.clip
        rows = self.rows[self.first[clip] + np.arange(len(clip)) - first[clip]]
        return Recordings(rows, first, self.frames, self.bodies)

    def part(self, chosen: slice | np.ndarray) -> "Recordings":
        """Some of the clips, a slice or places (K,) int64 in any order, over the same rows."""
        return Recordings(self.rows, self.first[chosen], self.frames[chosen], self.bodies[chosen])
