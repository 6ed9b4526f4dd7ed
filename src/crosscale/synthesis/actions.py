"""What is performed: the base actions, as key poses and oscillations of joint angles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.interpolate import PchipInterpolator

from crosscale.synthesis.body import CHANNELS, pose_vector

Pose = Mapping[str, float]


@dataclass(frozen=True)
class Wave:
    """An oscillation of one channel: bias + degrees · sin(2π (rate · time + phase))."""

    channel: str
    degrees: float
    rate: float  # cycles a second at an average actor's speed
    phase: float = 0.0  # cycles
    bias: float = 0.0  # degrees
    start: float = 0.0  # when it swells and when it dies down, fractions of the action
    stop: float = 1.0


@dataclass(frozen=True)
class Motion:
    """One body's part: key poses at fractions of the action, and oscillations on top."""

    keys: Mapping[float, Pose] = field(default_factory=lambda: {0.0: {}})
    waves: tuple[Wave, ...] = ()

    def poses(self, progress: np.ndarray, seconds: np.ndarray, phase: float) -> np.ndarray:
        """Offsets from the resting pose.

        Args:
            progress: (T,) how much of the action is done, 0 to 1.
            seconds: (T,) time at an average actor's speed.
            phase: where the oscillations start, cycles.

        Returns:
            (T, channels), smooth in both.
        """
        marks = np.array(list(self.keys))
        vectors = np.stack([pose_vector(pose) for pose in self.keys.values()])
        if len(marks) == 1:
            poses = np.repeat(vectors, len(progress), axis=0)
        else:
            poses = PchipInterpolator(marks, vectors)(np.clip(progress, marks[0], marks[-1]))
        for wave in self.waves:
            swing = np.sin(2 * np.pi * (wave.rate * seconds + wave.phase + phase))
            size = wave.bias + wave.degrees * swing
            poses[:, CHANNELS.index(wave.channel)] += size * _swell(progress, wave)
        return poses


@dataclass(frozen=True)
class Action:
    """A class of the synthetic data set."""

    name: str
    motion: Motion
    length: float = 0.5  # 0: the shortest clips, 1: the longest
    partner: Motion | None = None  # the second person, who faces the first
    gap: float = 0.9  # metres between the two at the moment `meet`, measured as `contact` says
    meet: float = 0.0  # fraction of the action
    contact: Literal["body to body", "hand to body", "hand to hand"] = "body to body"
    handed: bool = True  # a left-hander does it the other way round


def _swell(progress: np.ndarray, wave: Wave) -> np.ndarray:
    edge = 0.12
    rise = np.clip((progress - wave.start) / edge, 0, 1)
    fall = np.clip((wave.stop - progress) / edge, 0, 1)
    both = rise * fall
    return both * both * (3 - 2 * both)


def both_sides(pose: Pose) -> dict[str, float]:
    """The pose of one limb, named without its side, for the left and the right one."""
    return {f"{side}_{name}": value for side in "rl" for name, value in pose.items()}


def steps(rate: float, stride: float, start: float = 0.0) -> tuple[Wave, ...]:
    """Walking legs, `rate` double steps a second; a negative stride (degrees) walks backwards.

    Before `start`, a fraction of the action, the legs stand still.
    """
    waves: list[Wave] = []
    for side, phase in (("r", 0.0), ("l", 0.5)):
        waves += [
            Wave(f"{side}_hip", stride, rate, phase, bias=6, start=start),
            Wave(f"{side}_knee", 24, rate, phase + 0.25, bias=26, start=start),
            Wave(f"{side}_ankle", 8, rate, phase + 0.25, bias=8, start=start),
        ]
    return tuple(waves)


def walking(rate: float, stride: float) -> tuple[Wave, ...]:
    """Walking legs and swinging arms."""
    arms: list[Wave] = []
    for side, phase in (("r", 0.5), ("l", 0.0)):
        arms += [
            Wave(f"{side}_flex", 0.8 * stride, rate, phase),
            Wave(f"{side}_elbow", 0.4 * stride, rate, phase, bias=10),
        ]
    return (*steps(rate, stride), *arms)


_AT_MOUTH = {"r_flex": 48, "r_out": 12, "r_in": 48, "r_elbow": 130, "r_wrist": 10}
_DRINKING = _AT_MOUTH | {"nod": -22, "r_wrist": 32}
_WAVING = {"r_flex": 12, "r_out": 82, "r_in": -85, "r_elbow": 78}
_HANDS_FRONT = both_sides({"flex": 42, "out": 6, "in": 50, "elbow": 76})
_SEATED = both_sides({"hip": 86, "knee": 86, "flex": 22, "elbow": 45}) | {"bend": 4}
_GETTING_UP = both_sides({"hip": 78, "knee": 92, "ankle": 14, "flex": 42}) | {"bend": 44}
_HALF_UP = both_sides({"hip": 44, "knee": 52, "ankle": 8, "flex": 34}) | {"bend": 36}
_KICK_BACK = {"r_hip": -24, "r_knee": 62, "bend": 6, "l_flex": 25, "r_flex": -20}
_KICK = {"r_hip": 72, "r_knee": 6, "bend": -10, "l_flex": -18, "r_flex": 28, "l_knee": 6}
_KICK_OVER = {"r_hip": 30, "r_knee": 50}
_STOOP = both_sides({"hip": 68, "knee": 92, "ankle": 24, "flex": 62}) | {"bend": 84, "nod": -15}
_REACH_DOWN = _STOOP | {"r_flex": 82, "r_elbow": 4}
_GRASP = _STOOP | {"r_flex": 80, "r_elbow": 14}
_WIND_UP = {"r_out": 78, "r_in": -80, "r_elbow": 96, "twist": -32, "bend": -8, "l_flex": 45}
_RELEASE = {"r_flex": 92, "r_out": -6, "r_elbow": 14, "twist": 30, "bend": 22, "l_flex": -18}
_FOLLOW = {"r_flex": 38, "r_out": -22, "r_elbow": 26, "twist": 36, "bend": 26}
_CROUCH = both_sides({"hip": 52, "knee": 78, "ankle": 26, "flex": -38}) | {"bend": 34}
_RISE, _FALL = both_sides({"flex": 40}), both_sides({"flex": 70})
_FLIGHT = both_sides({"flex": 112, "elbow": 20, "ankle": -32}) | {"jump": 34}
_LANDING = both_sides({"hip": 38, "knee": 56, "ankle": 18, "flex": 48}) | {"bend": 22}
_BOW = both_sides({"flex": 38}) | {"bend": 58, "nod": 18}
_SQUAT = both_sides({"hip": 96, "knee": 118, "ankle": 24, "flex": 82}) | {"bend": 34}
_OFFER = {"r_flex": 46, "r_out": -10, "r_elbow": 38, "bend": 8}
_DRAW_BACK = both_sides({"flex": 28, "out": 10, "elbow": 112, "wrist": -50}) | {"bend": -4}
_SHOVE = both_sides({"flex": 84, "elbow": 10, "wrist": -60}) | {"bend": 18, "r_hip": 14}
_STAGGER = both_sides({"flex": 28, "out": 18, "elbow": 30}) | {"bend": -24, "nod": 18}
_CLAPS = tuple(Wave(f"{side}_in", 17, 2.4, start=0.1, stop=0.9) for side in "rl")
_SHAKE = Wave("r_elbow", 10, 2.2, start=0.25, stop=0.82)

BASE_ACTIONS: tuple[Action, ...] = (
    Action(
        "drink",
        Motion({0: {}, 0.3: _AT_MOUTH, 0.48: _DRINKING, 0.68: _DRINKING | {"nod": -18}, 1: {}}),
        length=0.6,
    ),
    Action(
        "wave",
        Motion(
            {0: {}, 0.22: _WAVING, 0.8: _WAVING, 1: {}},
            (Wave("r_elbow", 28, 2.0, start=0.15, stop=0.88),),
        ),
    ),
    Action("clap", Motion({0: {}, 0.18: _HANDS_FRONT, 0.84: _HANDS_FRONT, 1: {}}, _CLAPS)),
    Action(
        "sit down",
        Motion({0: {}, 0.1: {}, 0.4: _HALF_UP, 0.66: _GETTING_UP, 0.85: _SEATED, 1: _SEATED}),
    ),
    Action(
        "stand up",
        Motion({0: _SEATED, 0.14: _SEATED, 0.36: _GETTING_UP, 0.6: _HALF_UP, 0.88: {}, 1: {}}),
    ),
    Action(
        "kick",
        Motion({0: {}, 0.3: _KICK_BACK, 0.52: _KICK, 0.66: _KICK_OVER, 0.9: {}, 1: {}}),
        length=0.25,
    ),
    Action(
        "pick up",
        Motion({0: {}, 0.42: _REACH_DOWN, 0.54: _GRASP, 1: {"r_flex": 22, "r_elbow": 72}}),
        length=0.6,
    ),
    Action(
        "throw",
        Motion({0: {}, 0.36: _WIND_UP, 0.56: _RELEASE, 0.7: _FOLLOW, 1: {}}),
        length=0.3,
    ),
    Action(
        "jump",
        Motion(
            {0: {}, 0.25: _CROUCH, 0.42: _RISE, 0.55: _FLIGHT, 0.68: _FALL, 0.8: _LANDING, 1: {}}
        ),
        length=0.9,
        handed=False,
    ),
    Action("bow", Motion({0: {}, 0.38: _BOW, 0.6: _BOW | {"bend": 60}, 1: {}}), handed=False),
    Action(
        "handshake",
        Motion({0: {}, 0.28: _OFFER, 0.76: _OFFER, 1: {}}, (_SHAKE,)),
        partner=Motion({0: {}, 0.3: _OFFER, 0.76: _OFFER, 1: {}}, (_SHAKE,)),
        gap=0.0,
        meet=0.5,
        contact="hand to hand",
        handed=False,
    ),
    Action(
        "push",
        Motion({0: {}, 0.3: _DRAW_BACK, 0.46: _SHOVE, 0.6: _SHOVE, 1: {}}),
        partner=Motion({0: {}, 0.42: {}, 0.58: _STAGGER, 1: {}}, steps(1.3, -14, start=0.44)),
        gap=0.12,
        meet=0.46,
        contact="hand to body",
        length=0.3,
    ),
    Action("squat", Motion({0: {}, 0.4: _SQUAT, 0.55: _SQUAT, 1: {}}), length=0.8, handed=False),
    Action(
        "turn round",
        Motion({0: {}, 0.1: {}, 0.9: {"turn": 180}, 1: {"turn": 180}}, walking(1.2, 10)),
        length=0.6,
    ),
    Action(
        "walk towards each other",
        Motion(waves=walking(1.1, 19)),
        partner=Motion(waves=walking(1.1, 19)),
        gap=0.6,
        meet=1.0,
        length=0.6,
        handed=False,
    ),
)
