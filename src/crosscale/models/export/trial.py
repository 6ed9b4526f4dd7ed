"""Made-up clips on which an exported program is compared with the encoders."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crosscale.models.checkpoint import TrainedEncoders
from crosscale.transforms.preprocess import ClipTensors, preprocess

BATCHES = (2, 1, 5)


def trials(trained: TrainedEncoders, lengths: Sequence[int]) -> list[ClipTensors]:
    """Batches of several sizes, of each of some lengths: the same ones each time.

    Args:
        trained: their layout and preprocessing are taken.
        lengths: frames of the prepared clips.
    """
    random = np.random.default_rng(0)
    return [
        preprocess(
            [_recording(trained, random, i) for i in range(batch)],
            trained.layout,
            replace(trained.preprocess, frames=frames),
        )
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
