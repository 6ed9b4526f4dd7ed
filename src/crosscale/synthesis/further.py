"""Any number of classes: combinations of limb, gesture, rhythm and posture.

Class k is the same action whatever the seed of the data set and the number of its classes.
"""

from functools import cache
from itertools import product

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.synthesis.actions import BASE_ACTIONS, Action, Motion, Pose, Wave, both_sides

_POSTURES: dict[str, Pose] = {
    "standing": {},
    "seated": both_sides({"hip": 84, "knee": 84}),
    "crouching": both_sides({"hip": 70, "knee": 96, "ankle": 26}) | {"bend": 28},
    "stooping": {"bend": 52},
    "turned aside": {"twist": 48},
}
_ARM_GESTURES: dict[str, Pose] = {
    "raises high": {"flex": 150},
    "spreads": {"out": 95},
    "reaches forward": {"flex": 84, "elbow": -8},
    "reaches across": {"flex": 62, "out": -34, "elbow": 12},
    "touches the head": {"flex": 72, "out": 34, "in": 25, "elbow": 128},
    "rests on the hip": {"flex": -18, "out": 44, "in": 62, "elbow": 92},
    "swings back": {"flex": -52},
    "lifts to the chest": {"flex": 14, "in": 42, "elbow": 98},
}
_LEG_GESTURES: dict[str, Pose] = {
    "kicks forward": {"hip": 62, "knee": 8},
    "kicks aside": {"spread": 46},
    "kicks back": {"hip": -34, "knee": 14},
    "lifts the knee": {"hip": 82, "knee": 88},
    "lifts the heel": {"knee": 88},
}
_ARMS = ("right arm", "left arm", "both arms", "arms in turn")
_LEGS = ("right leg", "left leg")
_RHYTHMS = ("once", "and holds", "twice", "and shakes")
_ONE_ARM_ONLY = ("arms in turn", "once")  # would leave no turn for the other arm
_PARTNER_EVERY = 6  # one class in six has a second person
_PERMUTATION_SEED, _DETAIL_SEED = 7193, 2857


def action(number: int) -> Action:
    """The action of class `number`, from 1.

    Raises:
        CrosscaleError: when there is no such class.
    """
    if not 1 <= number <= most_classes():
        raise CrosscaleError(f"there are synthetic classes 1 to {most_classes()}, not {number}")
    if number <= len(BASE_ACTIONS):
        return BASE_ACTIONS[number - 1]
    return _further_action(number)


def most_classes() -> int:
    """How many classes can be told apart."""
    return len(BASE_ACTIONS) + len(_combinations())


@cache
def _combinations() -> tuple[tuple[str, str, str, str], ...]:
    """Every (limb, gesture, rhythm, posture), in an order that mixes them."""
    arms = product(_ARMS, _ARM_GESTURES, _RHYTHMS, _POSTURES)
    legs = product(_LEGS, _LEG_GESTURES, _RHYTHMS, ("standing", "turned aside"))
    listed = [entry for entry in (*arms, *legs) if (entry[0], entry[2]) != _ONE_ARM_ONLY]
    order = np.random.default_rng(_PERMUTATION_SEED).permutation(len(listed))
    return tuple(listed[i] for i in order)


@cache
def _further_action(number: int) -> Action:
    limb, gesture, rhythm, posture = _combinations()[number - len(BASE_ACTIONS) - 1]
    random = np.random.default_rng((_DETAIL_SEED, number))
    motion = _motion(limb, gesture, rhythm, posture, random)
    partner = None
    name = f"{limb} {gesture} {rhythm}, {posture}"
    if number % _PARTNER_EVERY == 0:
        partner = motion if random.random() < 0.5 else Motion()
        name += ", with one who does the same" if partner is motion else ", before another"
    return Action(
        name,
        motion,
        length=float(random.uniform(0.2, 0.9)),
        partner=partner,
        gap=float(random.uniform(0.9, 1.3)),
        handed=False,  # the side tells classes apart
    )


def _motion(
    limb: str, gesture: str, rhythm: str, posture: str, random: np.random.Generator
) -> Motion:
    is_arm = gesture in _ARM_GESTURES
    size = random.uniform(0.85, 1.15)
    shape = _ARM_GESTURES[gesture] if is_arm else _LEG_GESTURES[gesture]
    keys: dict[float, Pose] = {}
    for i, (mark, is_up) in enumerate(_marks(rhythm, random).items()):
        keys[mark] = pose = dict(_POSTURES[posture])
        for side, (name, degrees) in product(_sides(limb, turn=i), shape.items()):
            channel = f"{side}_{name}"
            pose[channel] = pose.get(channel, 0.0) + is_up * size * degrees
    return Motion(keys, _shaking(limb, is_arm, random) if rhythm == "and shakes" else ())


def _marks(rhythm: str, random: np.random.Generator) -> dict[float, bool]:
    """When the limb is up (True) or at rest, fractions of the action."""
    if rhythm == "once":
        return {0.0: False, float(random.uniform(0.35, 0.65)): True, 1.0: False}
    if rhythm == "twice":
        return {0.0: False, 0.25: True, 0.5: False, 0.75: True, 1.0: False}
    return {0.0: False, 0.25: True, 0.8: True, 1.0: False}


def _shaking(limb: str, is_arm: bool, random: np.random.Generator) -> tuple[Wave, ...]:
    degrees, rate = random.uniform(14, 24), random.uniform(1.4, 2.4)
    in_turn = limb == "arms in turn"
    return tuple(
        Wave(
            f"{side}_{'elbow' if is_arm else 'knee'}",
            degrees,
            rate,
            phase=0.5 * i * in_turn,
            bias=degrees,
            start=0.2,
            stop=0.85,
        )
        for i, side in enumerate("rl" if in_turn else _sides(limb))
    )


def _sides(limb: str, turn: int = 0) -> str:
    if limb == "arms in turn":
        return "rl"[turn // 2 % 2]
    return {"right": "r", "left": "l", "both": "rl"}[limb.partition(" ")[0]]
