"""One clip of a synthetic data set, made from its name and the data set's seed alone."""

from dataclasses import dataclass

import numpy as np

from crosscale.synthesis.actor import draw_actor
from crosscale.synthesis.camera import draw_camera, record
from crosscale.synthesis.further import action
from crosscale.synthesis.performance import perform

SUBJECTS_A_SETUP = 4
_ACTOR, _CAMERA, _PERFORMANCE, _SENSOR = range(4)  # what a random stream is for


@dataclass(frozen=True, order=True)
class ClipName:
    """The numbers in an NTU file name, all from 1."""

    subject: int
    repetition: int
    action: int
    camera: int

    @property
    def setup(self) -> int:
        """Groups of subjects were recorded with the same places of the cameras."""
        return 1 + (self.subject - 1) // SUBJECTS_A_SETUP

    def __str__(self) -> str:
        """The name of the clip, SsssCcccPpppRrrrAaaa."""
        return (
            f"S{self.setup:03d}C{self.camera:03d}P{self.subject:03d}"
            f"R{self.repetition:03d}A{self.action:03d}"
        )


@dataclass(frozen=True)
class Recording:
    """A clip as a Kinect would have given it."""

    name: ClipName
    coordinates: np.ndarray  # (T, M, 25, 3), metres in camera space
    tracking: np.ndarray  # (T, M, 25), 2 tracked, 1 inferred
    bodies: tuple[int, ...]  # the M body ids


def record_clips(
    names: list[ClipName], seed: int, frames: tuple[int, int] = (40, 110)
) -> list[Recording]:
    """Recordings of one performance by some cameras.

    Args:
        names: clips that differ in nothing but the camera.
        seed: of the data set.
        frames: the shortest and the longest clip.
    """
    first = names[0]
    motion = perform(
        action(first.action),
        (draw_actor(_random(seed, _ACTOR, first.subject, 0)),
         draw_actor(_random(seed, _ACTOR, first.subject, 1))),
        heading=_heading(first, seed),
        frames=frames,
        random=_random(seed, _PERFORMANCE, first.subject, first.repetition, first.action),
    )  # fmt: skip
    return [_seen_by_camera(name, seed, motion) for name in names]


def _seen_by_camera(name: ClipName, seed: int, scene: np.ndarray) -> Recording:
    camera = draw_camera(name.camera, _random(seed, _CAMERA, name.setup, name.camera))
    key = (name.subject, name.repetition, name.action, name.camera)
    sensor = _random(seed, _SENSOR, *key)
    coordinates, tracking = record(camera.see(scene), sensor)
    base = 72057594037900000 + int(sensor.integers(0, 90000))  # 17 digits, as a Kinect's
    return Recording(name, coordinates, tracking, tuple(base + i for i in range(scene.shape[1])))


def _heading(name: ClipName, seed: int) -> float:
    """Towards camera 3 in odd repetitions and camera 2 in even ones, as NTU asked; roughly."""
    random = _random(seed, _PERFORMANCE, name.subject, name.repetition, name.action, 1)
    wanted = 45.0 if name.repetition % 2 else -45.0
    return float(np.radians(wanted + random.normal(0, 30)))


def _random(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
