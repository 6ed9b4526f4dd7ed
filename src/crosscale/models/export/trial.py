"""Made-up recordings on which an exported program is compared with the encoders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscale.models.checkpoint import TrainedEncoders
from crosscale.transforms.preprocess import ClipTensors, preprocess

BATCHES = (2, 1, 5)
# Of fewer frames, the last blocks, which halve them, keep one: a case apart to `torch.export`.
SHORTEST = 5


@dataclass(frozen=True)
class Trial:
    """A batch of recordings.

    Attributes:
        recordings: N arrays (L, M, V, 3) float32, metres, NaN where a body is absent.
        frames: T to which they are resampled.
    """

    recordings: Sequence[NDArray[np.float32]]
    frames: int

    def clips(self, trained: TrainedEncoders) -> ClipTensors:
        """The recordings as the package prepares them."""
        settings = replace(trained.preprocess, frames=self.frames)
        return preprocess(self.recordings, trained.layout, settings)

    def inputs(self, trained: TrainedEncoders, with_preprocess: bool) -> dict[str, Tensor]:
        """What an exported program takes, by name."""
        if not with_preprocess:
            clips = self.clips(trained)
            return {"coordinates": clips.coordinates.contiguous(), "present": clips.body_mask}
        longest = max(map(len, self.recordings))
        shape = (len(self.recordings), longest, *self.recordings[0].shape[1:])
        padded = torch.full(shape, torch.nan)
        for i, recording in enumerate(self.recordings):
            padded[i, : len(recording)] = torch.from_numpy(recording)
        return {"recordings": padded}


def trials(trained: TrainedEncoders, with_preprocess: bool) -> list[Trial]:
    """Batches of several sizes, of clips of several lengths: the same ones each time.

    Args:
        trained: their layout, bodies and usual length are taken.
        with_preprocess: only the recordings differ in length, not the prepared clips.
    """
    usual = trained.preprocess.frames
    lengths = [usual] * 3
    if not with_preprocess:
        lengths = [max(SHORTEST, n) for n in (usual, usual // 2, 2 * usual + 3)]
    random = np.random.default_rng(0)
    return [
        Trial([_recording(trained, random, i) for i in range(batch)], frames)
        for frames in lengths
        for batch in BATCHES
    ]


def _recording(
    trained: TrainedEncoders, random: np.random.Generator, place: int
) -> NDArray[np.float32]:
    """Bodies of about human size that walk, move their joints, and are out of sight at times."""
    frames, bodies = int(random.integers(5, 150)), trained.preprocess.bodies
    joints = len(trained.layout.joints)
    pose = random.normal(scale=0.4, size=(1, bodies, joints, 3))
    path = random.normal(scale=0.05, size=(frames, bodies, 1, 3)).cumsum(axis=0)
    limbs = random.normal(scale=0.03, size=(frames, bodies, joints, 3)).cumsum(axis=0)
    recording = (pose + path + limbs + [0, 1, 3]).astype(np.float32)
    recording[random.random((frames, bodies)) < 0.1] = np.nan
    recording[frames // 2] = pose[0] + 1  # somebody is always there
    if place % 2:
        recording[:, 1:] = np.nan
    return recording
