"""One clip of a synthetic data set, made from its name and the data set's seed alone."""

from dataclasses import dataclass

import numpy as np

from crosscale.synthesis.camera import about, draw_camera, record
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.named import Action, action
from crosscale.synthesis.performers import JOINTS, place
from crosscale.synthesis.programs import Programs, mirrored
from crosscale.utils.repeatable import one_thread

SUBJECTS_A_SETUP = 4
_ACTOR, _CAMERA, _PERFORMANCE, _SENSOR = range(4)  # what a random stream is for
# Adults, who act anywhere in a clip, but are seen from beginning to end.
_MANNER = Manner(size=0.08, crop=0, rest=0.38, amount=0.22, style=0.36, carelessness=0.2)
_LEFT_HANDED = 0.3  # of the subjects
_PELVIS, _RIGHT_HAND = JOINTS.index("spine_base"), JOINTS.index("right_hand")
_HANDS = [JOINTS.index("left_hand"), _RIGHT_HAND]


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
    scene = perform_scene(names[0], seed, frames)
    return [_seen_by_camera(name, seed, scene) for name in names]


@one_thread()
def perform_scene(name: ClipName, seed: int, frames: tuple[int, int]) -> np.ndarray:
    """The performance that cameras see: floor y = 0, its middle near the origin.

    Args:
        name: of any camera's clip.
        seed: of the data set.
        frames: the shortest and the longest clip.

    Returns:
        (T, M, 25, 3), metres, M = 1 or 2.
    """
    done = action(name.action)
    random = _random(seed, _PERFORMANCE, name.subject, name.repetition, name.action)
    subject = _random(seed, _ACTOR, name.subject, 0)
    tempo, is_left_handed = subject.normal(1, 0.16), subject.random() < _LEFT_HANDED
    share = float(
        np.clip(0.15 + 0.7 * (done.length / max(tempo, 0.5) + random.normal(0, 0.1)), 0, 1)
    )
    count = round(frames[0] + share * (frames[1] - frames[0]))
    timing = int(random.integers(2**31))

    def performed(programs: Programs, person: int, heading: float) -> np.ndarray:
        """By one person (T, 25, 3)."""
        body = int(_random(seed, _ACTOR, name.subject, person, 1).integers(2**31))
        own = mirrored(programs) if done.handed and is_left_handed else programs
        draw = Draw(int(random.integers(2**31)))
        joints = place(own, draw, count, _MANNER, actor=Draw(body), timing=Draw(timing))
        return joints[0].permute(2, 0, 1).double().numpy() @ about(1, heading).T

    heading = _heading(name, seed)
    bodies = performed(done.program, 0, heading)[:, None]
    if done.partner is not None:
        answer = performed(done.partner, 1, heading + np.pi + random.normal(0, 0.08))
        answer += _partners_place(done, bodies[:, 0], answer, heading, random)
        bodies = np.stack([bodies[:, 0], answer], axis=1)
    middle = bodies[:, :, _PELVIS].mean(axis=(0, 1)) * [1, 0, 1]
    return bodies - middle + random.uniform(-0.3, 0.3, 3) * [1, 0, 1]


def _partners_place(
    done: Action, first: np.ndarray, answer: np.ndarray, heading: float, random: np.random.Generator
) -> np.ndarray:
    """How far (3,) the partner has to move to stand in front of the first."""
    ahead = about(1, heading) @ [0.0, 0.0, -1.0]
    frame = round(done.meet * (len(first) - 1))
    gap = ahead * done.gap * float(np.exp(0.1 * random.standard_normal()))
    if done.contact == "hand to hand":
        return gap + (first[frame, _RIGHT_HAND] - answer[frame, _RIGHT_HAND]) * [1, 0, 1]
    reaching = _HANDS if done.contact == "hand to body" else [_PELVIS]
    reach = (first[frame, reaching] @ ahead).max() - answer[frame, _PELVIS] @ ahead
    return gap + ahead * reach


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
