"""One performance: an action by an actor at a place and a heading, as all cameras see it."""

import numpy as np

from crosscale.synthesis.actions import Action, Motion
from crosscale.synthesis.actor import Actor, extents, scatter, spread_over_channels
from crosscale.synthesis.body import CHANNELS, JOINTS, about, mirrored, place_joints

_PELVIS, _RIGHT_HAND = JOINTS.index("spine_base"), JOINTS.index("right_hand")
_HANDS = [JOINTS.index("left_hand"), _RIGHT_HAND]
# How the same actor differs from one performance to the next, and sways within it, degrees.
_MOOD = {
    "flex": 10.0, "out": 6.0, "in": 14.0, "elbow": 18.0, "bend": 6.0, "twist": 10.0, "nod": 6.0,
    "look": 10.0, "spread": 2.0,
}  # fmt: skip
_SWAY = {
    "flex": 4.0, "out": 2.5, "in": 5.0, "elbow": 5.0, "wrist": 6.0, "bend": 2.5, "lean": 1.5,
    "twist": 3.0, "nod": 4.0, "look": 6.0, "turn": 8.0,
}  # fmt: skip


def perform(
    action: Action,
    actors: tuple[Actor, Actor],
    heading: float,
    frames: tuple[int, int],
    random: np.random.Generator,
) -> np.ndarray:
    """Joint positions of a performance in the scene, floor y = 0, its middle at the origin.

    Args:
        action: what is performed.
        actors: who does it, and who answers where the action has a partner.
        heading: where the first actor faces, radians to the left of -z.
        frames: the shortest and the longest clip. Shorter clips hold the same, faster.
        random: everything that differs from one performance to the next comes from it.

    Returns:
        (T, M, 25, 3), metres, M = 1 or 2.
    """
    first, second = actors
    wish = action.length / first.tempo + random.normal(0, 0.1)
    share = float(np.clip(0.15 + 0.7 * wish, 0, 1))
    count = round(frames[0] + share * (frames[1] - frames[0]))
    seconds = np.linspace(0, 1.3 + 2.3 * share, count)
    progress = _progress(count, random)
    phase = random.random()
    mirror = action.handed and first.left_handed
    poses = _poses(action.motion, first, mirror, progress, seconds, phase, random)
    bodies = place_joints(poses, first.bones, heading)[:, None]
    if action.partner is not None:
        poses = _poses(action.partner, second, mirror, progress, seconds, phase, random)
        answer = place_joints(poses, second.bones, heading + np.pi + random.normal(0, 0.08))
        answer += _partners_place(action, bodies[:, 0], answer, progress, heading, random)
        bodies = np.stack([bodies[:, 0], answer], axis=1)
    middle = bodies[:, :, 0].mean(axis=(0, 1)) * [1, 0, 1]
    place = random.uniform(-0.3, 0.3, 3) * [1, 0, 1]
    return bodies - middle + place


def _progress(count: int, random: np.random.Generator) -> np.ndarray:
    """How much of the action is done at each frame.

    The action fills 30 to 60 % of the clip, anywhere in it, and is unevenly fast: who compares
    frame by frame is misled, who looks for the movement is not.
    """
    length = random.uniform(0.3, 0.6)
    start = random.uniform(0, 1 - length)
    line = np.clip((np.linspace(0, 1, count) - start) / length, 0, 1)
    return line + random.uniform(-0.5, 0.5) * line * (1 - line)


def _poses(
    motion: Motion,
    actor: Actor,
    mirror: bool,
    progress: np.ndarray,
    seconds: np.ndarray,
    phase: float,
    random: np.random.Generator,
) -> np.ndarray:
    """The actor's own way (T, channels) of making a motion."""
    wanted = motion.poses(progress, seconds * actor.tempo, phase)
    if mirror:
        wanted = mirrored(wanted)
    size = random.uniform(0.9, 1.15) * extents(random)
    poses = actor.posture + scatter(random, _MOOD) + wanted * actor.habit * size
    return poses + _sway(seconds, random)


def _sway(seconds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Slow unrest (T, channels) of a standing body, degrees: two waves for each channel."""
    rate = random.uniform(0.15, 0.7, (2, len(CHANNELS)))
    phase = random.random((2, len(CHANNELS)))
    waves = np.sin(2 * np.pi * (seconds[:, None, None] * rate + phase)).sum(axis=1)
    return waves * spread_over_channels(_SWAY) / np.sqrt(2)


def _partners_place(
    action: Action,
    first: np.ndarray,
    answer: np.ndarray,
    progress: np.ndarray,
    heading: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Where the partner (3,) stands, in front of the first."""
    ahead = about(1, heading) @ np.array([0.0, 0.0, -1.0])
    frame = int(np.argmin(np.abs(progress - action.meet)))
    gap = ahead * action.gap * float(np.exp(0.1 * random.standard_normal()))
    if action.contact == "hand to hand":
        return gap + (first[frame, _RIGHT_HAND] - answer[frame, _RIGHT_HAND]) * [1, 0, 1]
    reaching = _HANDS if action.contact == "hand to body" else [_PELVIS]
    reach = (first[frame, reaching] @ ahead).max() - answer[frame, _PELVIS] @ ahead
    return gap + ahead * reach
