"""Actions by name, as motion programs: the classes of synthetic data sets.

The first have names of their own; any further class is a program drawn for its number, the same in
every data set. Who performs, where two people stand and what a camera makes of it is said in
`synthesis.recording`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import torch

from crosscale.errors import CrosscaleError
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.performers import place
from crosscale.synthesis.programs import KEYS, Programs, draw_programs

Direction = tuple[float, float, float]  # outward, up and back
DOWN: Direction = (0, -1, 0)
FORWARD: Direction = (0, 0, -1)
UP: Direction = (0, 1, 0)
MOST_CLASSES = 999  # that names of clips can number
_STILL = 0.25  # metres that some joint must move in a further class
_PARTNER_EVERY = 6  # of the further classes one in six has a second person


class Arm(NamedTuple):
    """A key pose of an arm: where the upper arm points, whither the forearm bends, how far."""

    upper: Direction
    bend: Direction = FORWARD
    elbow: float = 0.1


class Leg(NamedTuple):
    """A key pose of a leg: where the thigh points, and how far the knee bends."""

    thigh: Direction
    knee: float = 0.0


@dataclass(frozen=True)
class Action:
    """A class of the synthetic data sets.

    Attributes:
        name: of the class.
        program: what is done.
        length: of its clips, from 0, the shortest, to 1, the longest.
        partner: what a second person does, who faces the first.
        gap: metres between the two at the moment `meet`, measured as `contact` says.
        meet: share of the clip.
        contact: what of the first comes near what of the second.
        handed: whether a left-hander does it the other way round.
    """

    name: str
    program: Programs
    length: float = 0.5
    partner: Programs | None = None
    gap: float = 0.9
    meet: float = 0.0
    contact: Literal["body to body", "hand to body", "hand to hand"] = "body to body"
    handed: bool = True


# A program in which nothing happens: one key pose, in which no limb takes part.
_NEUTRAL: dict[str, Any] = {
    "waves": (False, False), "wave_size": ((0.0, 0.0), (0.0, 0.0)), "wave_turn": (0.0, 0.0),
    "wave_axis": ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)), "wave_count": (1.0, 1.0),
    "wave_below": (True, True), "bow": 0.0, "bow_axis": (1.0, 0.0, 0.0), "twist": 0.0,
    "squat": 0.0, "jump": 0.0, "trunk_at": 0.5, "trunk_width": 0.4, "trunk_stays": False,
    "trunk_rises": False, "walks": False, "walk_from": 0.0, "walk_to": 1.0, "travels": True,
    "cadence": 3.0, "turning": 0.0, "lift": 0.7, "from_rest": True, "to_rest": True, "repeats": 1,
}  # fmt: skip


def program(
    gaps: Sequence[float] = (1.0,),
    right: Sequence[Arm] = (),
    left: Sequence[Arm] = (),
    right_leg: Sequence[Leg] = (),
    left_leg: Sequence[Leg] = (),
    **values: Any,
) -> Programs:
    """One program; what is not named is neutral, and limbs without key poses take no part.

    Args:
        gaps: time from each key pose to the one before it; as many as there are key poses.
        right: key poses of the right arm, and so on.
        left: of the left arm.
        right_leg: of the right leg.
        left_leg: of the left leg.
        values: other fields of `Programs`; those of limbs are pairs, left and right.
    """

    def filled(poses: Sequence[Any]) -> Sequence[Any]:
        return [*poses, *[poses[-1]] * (KEYS - len(poses))]

    arms = [filled(poses or [Arm(DOWN)]) for poses in (left, right)]
    legs = [filled(poses or [Leg(DOWN)]) for poses in (left_leg, right_leg)]
    told = _NEUTRAL | values | {
        "poses": len(gaps),
        "gaps": filled([float(gap) for gap in gaps]),
        "upper": [[_unit(pose.upper) for pose in poses] for poses in arms],
        "bend": [[_unit(pose.bend) for pose in poses] for poses in arms],
        "elbow": [[pose.elbow for pose in poses] for poses in arms],
        "thigh": [[_unit(pose.thigh) for pose in poses] for poses in legs],
        "knee": [[pose.knee for pose in poses] for poses in legs],
        "arms": (bool(left), bool(right)),
        "legs": (bool(left_leg), bool(right_leg)),
    }  # fmt: skip
    return Programs(**{name: torch.tensor(value)[None] for name, value in told.items()})


def _unit(direction: Direction) -> list[float]:
    length = sum(part * part for part in direction) ** 0.5
    return [part / length for part in direction]


_AT_MOUTH = Arm((0, -0.5, -0.85), (-0.65, 0.85, -0.1), 2.15)
_RAISED = Arm((0.6, -0.35, -0.6), (0.2, 1, -0.2), 1.9)
_APART = Arm((0.15, -0.85, -0.5), (0.1, 0.4, -1), 1.25)
_TOGETHER = Arm((0, -0.85, -0.5), (-0.85, 0.4, -0.65), 1.3)
_SEATED = Leg((0.05, -0.1, -1), 1.5)
_ON_THIGHS = Arm((0.1, -0.9, -0.4), (-0.1, 0, -1), 0.8)
_REACHING_DOWN = Arm((0, -0.6, -0.8), FORWARD, 0.15)
_HELD = Arm((0.1, -1, -0.2), (0, 0.4, -1), 1.3)
_LIFTING = Arm((0.7, -0.5, -0.3), FORWARD, 1.4)  # or the forearm would turn over at once
_WOUND_UP = Arm((0.8, 0.2, 0), (-0.2, 1, -0.5), 1.5)
_RELEASED = Arm((-0.05, 0.2, -1), FORWARD, 0.15)
_SWUNG_BACK, _SWUNG_UP = Arm((0.1, -0.8, 0.45)), Arm((0.2, 0.7, -0.6), UP, 0.3)
_AHEAD = Arm((0.1, 0.05, -1))
_OFFERED = Arm((-0.1, -0.8, -0.6), (-0.1, 0.4, -1), 0.75)
_DRAWN_BACK = Arm((0.35, -0.8, 0.2), (-0.1, 0.3, -1), 2.1)
_SHOVED = Arm((0.05, 0, -1), FORWARD, 0.1)
_FLUNG = Arm((0.4, -0.5, -0.6), FORWARD, 0.5)
_STANDING, _STEPPED_BACK = Leg(DOWN), Leg((0, -0.92, 0.4))
_LEG_BACK, _KICKED = Leg((0, -0.9, 0.4), 1.1), Leg((0, -0.1, -1), 0.1)
_LIFTED = Leg((0, -0.95, -0.3), 0.7)
_WALKING = program(walks=True)
_seat = partial(
    program,
    (0.8,),
    right=[_ON_THIGHS],
    left=[_ON_THIGHS],
    right_leg=[_SEATED],
    left_leg=[_SEATED],
    bow=0.6,
)
_SHAKEN: dict[str, Any] = {
    "waves": (False, True), "wave_size": ((0.0, 0.0), (0.35, 0.0)), "wave_count": (1.0, 4.0),
}  # fmt: skip

NAMED_ACTIONS: tuple[Action, ...] = (
    Action("drink", program((0.9, 0.3, 0.3), right=[_AT_MOUTH] * 3), length=0.6),
    Action(
        "wave",
        program(
            (0.4, 0.5, 0.5),
            right=[_RAISED] * 3,
            waves=(False, True),
            wave_axis=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
            wave_size=((0.0, 0.0), (0.6, 0.0)),
            wave_count=(1.0, 4.0),
        ),
    ),
    Action(
        "clap",
        program(
            (0.6, 0.25, 0.25, 0.25, 0.25, 0.25),
            right=[_APART, _TOGETHER] * 3,
            left=[_APART, _TOGETHER] * 3,
        ),
        handed=False,
    ),
    Action(
        "sit down",
        _seat(to_rest=False),
        handed=False,
    ),
    Action(
        "stand up",
        _seat(from_rest=False),
        handed=False,
    ),
    Action(
        "kick",
        program(
            (0.5, 0.4, 0.3),
            right_leg=[_LEG_BACK, _KICKED, Leg((0, -0.9, -0.4), 0.8)],
            bow=-0.2,
        ),
        length=0.65,
    ),
    Action(
        "pick up",
        program(
            (0.7, 0.2, 0.6),
            right=[_REACHING_DOWN, _REACHING_DOWN, _HELD],
            bow=1.3,
            squat=0.75,
            trunk_at=0.4,
            to_rest=False,
        ),
        length=0.8,
    ),
    Action(
        "throw",
        program(
            (0.6, 0.5, 0.7),
            right=[_LIFTING, _WOUND_UP, _RELEASED],
            twist=0.6,
            trunk_at=0.6,
        ),
        length=1.0,
    ),
    Action(
        "jump",
        program(
            (0.4, 0.35),
            right=[_SWUNG_BACK, _SWUNG_UP],
            left=[_SWUNG_BACK, _SWUNG_UP],
            squat=0.5,
            jump=0.35,
            trunk_at=0.05,
            trunk_width=0.15,
        ),
        length=0.9,
        handed=False,
    ),
    Action("bow", program(bow=1.1), handed=False),
    Action(
        "handshake",
        program((0.5, 0.5, 0.5), right=[_OFFERED] * 3, **_SHAKEN),
        partner=program((0.5, 0.5, 0.5), right=[_OFFERED] * 3, **_SHAKEN),
        gap=0.0,
        meet=0.5,
        contact="hand to hand",
        handed=False,
    ),
    Action(
        "push",
        program(
            (0.5, 0.35, 0.3),
            right=[_DRAWN_BACK, _SHOVED, _SHOVED],
            left=[_DRAWN_BACK, _SHOVED, _SHOVED],
            bow=0.3,
        ),
        partner=program(
            (0.8, 0.25, 0.25, 0.25),
            right=[Arm(DOWN), _FLUNG, _FLUNG, _FLUNG],
            left=[Arm(DOWN), _FLUNG, _FLUNG, _FLUNG],
            left_leg=[_STANDING, _STEPPED_BACK, _STEPPED_BACK, _STANDING],
            right_leg=[_STANDING, _STANDING, _LIFTED, _LIFTED],
            bow=-0.35,
            trunk_at=0.7,
        ),
        gap=0.12,
        meet=0.46,
        contact="hand to body",
        length=0.3,
    ),
    Action(
        "squat",
        program(right=[_AHEAD], left=[_AHEAD], squat=1.0, bow=0.4),
        length=0.8,
        handed=False,
    ),
    Action("turn round", program(walks=True, turning=3.14, lift=0.4), length=0.6),
    Action(
        "walk towards each other",
        _WALKING,
        partner=_WALKING,
        gap=0.6,
        meet=1.0,
        length=0.6,
        handed=False,
    ),
)


@cache
def action(number: int) -> Action:
    """The action of class `number`, from 1.

    Raises:
        CrosscaleError: when there is no such class.
    """
    if not 1 <= number <= MOST_CLASSES:
        raise CrosscaleError(f"there are synthetic classes 1 to {MOST_CLASSES}, not {number}")
    if number <= len(NAMED_ACTIONS):
        return NAMED_ACTIONS[number - 1]
    draw = Draw(number)
    several = draw_programs(4, draw)
    joints = place(several, draw, 24, Manner())
    moved = (joints.amax(3) - joints.amin(3)).amax((1, 2))  # a few programs hold one key pose
    drawn = several.take((moved > _STILL).int().argmax()[None])
    name = f"motion program {number}"
    length = float(draw.uniform(1, low=0.2, high=0.9))
    if number % _PARTNER_EVERY:
        return Action(name, drawn, length, handed=False)  # the side tells classes apart
    partner, told = ((drawn, "with one who does the same"), (program(), "before another"))[
        int(draw.integer(0, 1, 1))
    ]
    return Action(f"{name}, {told}", drawn, length, partner, gap=1.1, handed=False)
