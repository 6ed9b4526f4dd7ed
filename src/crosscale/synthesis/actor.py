"""Who performs: body size, proportions and manner, drawn once for each subject."""

from dataclasses import dataclass

import numpy as np

from crosscale.synthesis.body import CHANNELS, JOINTS, SEGMENTS, UNIT_BONES

# Limbs that vary together: a name in a joint's segment, and the spread of its length.
_PROPORTIONS = {
    "upper_arm": 0.05,
    "forearm": 0.05,
    "hand": 0.05,
    "thigh": 0.045,
    "shank": 0.045,
    "foot": 0.06,
    "waist": 0.05,
    "chest": 0.05,
    "head": 0.06,
    "hips": 0.07,
}
_STANDING = {"flex": 3.0, "out": 8.0, "in": 8.0, "elbow": 14.0, "wrist": 4.0, "spread": 4.0}
_TOGETHER = ("hip", "knee", "ankle", "jump", "turn")
# Spread of an actor's habitual posture about that pose, degrees.
_POSTURE = {
    "flex": 8.0, "out": 5.0, "in": 12.0, "elbow": 12.0, "wrist": 8.0, "spread": 3.0,
    "bend": 6.0, "lean": 2.0, "twist": 3.0, "nod": 6.0, "look": 5.0,
}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """A body and a manner of moving."""

    bones: np.ndarray  # (25, 3), metres, each in its segment's resting frame
    posture: np.ndarray  # (channels,), degrees: how the actor stands
    habit: np.ndarray  # (channels,), how far the actor moves each channel, about 1
    tempo: float  # speed of movement, about 1
    left_handed: bool


def draw_actor(random: np.random.Generator) -> Actor:
    """An actor: 1.5 to 1.95 m tall, of usual proportions, three in ten left-handed."""
    height = float(np.clip(random.normal(1.70, 0.09), 1.5, 1.95))
    scale = {name: 1 + spread * random.standard_normal() for name, spread in _PROPORTIONS.items()}
    lengths = np.array(
        [scale[segment.removeprefix("r_").removeprefix("l_")] for segment in SEGMENTS]
    )
    bones = UNIT_BONES * height * lengths[:, None]
    shoulders = 1 + 0.07 * random.standard_normal()
    bones[[JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")], 0] *= shoulders
    return Actor(
        bones=bones,
        posture=spread_over_channels(_STANDING) + scatter(random, _POSTURE),
        habit=random.uniform(0.85, 1.2) * extents(random),
        tempo=float(np.exp(0.16 * random.standard_normal())),
        left_handed=bool(random.random() < 0.3),
    )


def spread_over_channels(values: dict[str, float]) -> np.ndarray:
    """(channels,) from values named without their side."""
    return np.array(
        [values.get(name.removeprefix("r_").removeprefix("l_"), 0) for name in CHANNELS]
    )


def scatter(random: np.random.Generator, spreads: dict[str, float]) -> np.ndarray:
    """Normal offsets (channels,) of the given spreads, degrees."""
    return spread_over_channels(spreads) * random.standard_normal(len(CHANNELS))


def extents(random: np.random.Generator) -> np.ndarray:
    """How far each channel moves (channels,), about 1; a leg's joints keep together."""
    spread = np.array([0.0 if name.endswith(_TOGETHER) else 0.15 for name in CHANNELS])
    return 1 + spread * random.uniform(-1, 1, len(CHANNELS))
