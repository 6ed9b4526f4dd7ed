"""Programs performed: each time by another body, at another pace and in another manner.

Body space is right-handed, in metres: x to the person's right, y up, the person faces -z. This is
Kinect v2 camera space for a person who faces the camera.
Time is the last axis everywhere, so that each operation runs along memory.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from crosscale.skeleton.layout import Layout
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.programs import KEYS, KNEE, LEFT, RIGHT, Programs
from crosscale.synthesis.reaching import ELBOW
from crosscale.synthesis.rotation import about, about_x, about_y
from crosscale.synthesis.sensor import mistaken, sensed

JOINTS = Layout.load("ntu25").joints
OUTWARD = (-1.0, 1.0)  # which way x is outward, of the left and the right side
_CONTACT_HEIGHT = 0.02  # metres: a foot this much above the other bears 1/e of its weight
_TRUNK = 0.5  # metres from the hips to the shoulders, of a body of usual size


def perform(
    programs: Programs,
    draw: Draw,
    frames: int,
    manner: Manner | None = None,
    pooling: Tensor | None = None,
) -> Tensor:
    """One performance of each program, seen by a sensor.

    Args:
        programs: B of them.
        draw: everything in which performances differ comes from it.
        frames: T, from before the action begins until after it ends.
        manner: how far they differ.
        pooling: (V, 25) weights that make what the sensor sees from the joints of `ntu25`.

    Returns:
        (B, 3, T, V) metres; the lowest foot stands on the floor y = 0 before the camera is tilted
        and the sensor errs.
    """
    manner = manner or Manner()
    joints = mistaken(place(programs, draw, frames, manner), draw, manner)
    if pooling is not None:
        joints = (pooling @ joints.flatten(2)).unflatten(2, joints.shape[2:])
    return sensed(joints, draw, manner).permute(0, 2, 3, 1).contiguous()


def place(
    programs: Programs,
    draw: Draw,
    frames: int,
    manner: Manner,
    actor: Draw | None = None,
    timing: Draw | None = None,
) -> Tensor:
    """Where the joints are, (B, 25, 3, T), in metres, standing on the floor.

    Args:
        programs: B of them.
        draw: everything in which performances differ comes from it, but
        frames: T.
        manner: how far they differ.
        actor: bodies come from this one, if given: the same seed is the same person.
        timing: and the pace from this one: two people keep in time with each other.
    """
    count = len(programs)
    clock = _Clock(programs, timing or draw, frames, manner)
    amount = draw.factor(count, spread=manner.amount)
    body = _Body(count, actor or draw, manner)
    trunk = _trunk(programs, draw, clock, amount)
    legs = _legs(programs, draw, clock, trunk.moved, amount, manner)
    arms = _arms(programs, draw, clock, amount, manner)
    held = _held(programs, clock)
    where = body.joints(trunk, legs, [trunk.carried(limb, held) for limb in arms])
    return _on_the_floor(where, programs, draw, clock, amount)


class _Clock:
    """When things happen: how far the action is at each frame, and between which key poses."""

    def __init__(self, programs: Programs, draw: Draw, frames: int, manner: Manner) -> None:
        count, device = len(programs), draw.device
        kept = 1 - draw.uniform(count, 1, high=manner.crop)
        start = (1 - kept) * draw.uniform(count, 1)
        self.frames = start + kept * torch.linspace(0, 1, frames, device=device)
        begin = draw.uniform(count, 1, low=-0.08, high=manner.rest)
        end = 1 - draw.uniform(count, 1, low=-0.08, high=manner.rest)
        line = ((self.frames - begin) / (end - begin)).clamp(0, 1)
        line = line ** draw.factor(count, 1, spread=manner.pace)
        slow, swing = draw.normal(2, count, 1, spread=0.05)
        line = line + slow * (math.pi * line).sin() + 0.6 * swing * (2 * math.pi * line).sin()
        line = line.clamp(0, 1)
        again = programs.repeats[:, None]
        done = line * again
        self.progress = torch.where(line >= 1, 1.0, done - done.floor())  # (B, T)
        times = programs.gaps.cumsum(1) + draw.normal(count, KEYS, spread=0.03)
        last = times.gather(1, programs.poses[:, None] - 1)
        back = last + programs.gaps[:, :1]
        first = torch.where(programs.from_rest[:, None], 0.0, times[:, :1])
        total = (torch.where(programs.to_rest[:, None], back, last) - first).clamp(min=0.2)
        at = first + self.progress * total
        self.early = (at - first) / total
        # places: 0 is rest, 1 to n the key poses, n + 1 rest again, or the last pose held
        number = torch.arange(KEYS, device=device)
        used = number < programs.poses[:, None]
        edges = torch.cat(
            [torch.where(used, times, math.inf), back.new_full((count, 1), math.inf)], 1
        )
        edges = edges.scatter(1, programs.poses[:, None], back)
        edges = torch.cat([edges.new_zeros(count, 1), edges], 1)  # (B, K + 2)
        self.place = (at[:, :, None] >= edges[:, None, 1:]).sum(2).clamp(max=KEYS)
        self.place = torch.minimum(self.place, programs.poses[:, None])
        low, high = edges.gather(1, self.place), edges.gather(1, self.place + 1)
        share = ((at - low) / (high - low).clamp(min=1e-3)).clamp(0, 1)
        self.share = share**3 * (10 - 15 * share + 6 * share**2)  # minimum jerk
        self.walking = programs.walks[:, None] * _while(
            self.frames, programs.walk_from[:, None], programs.walk_to[:, None]
        )
        self.poses = programs.poses
        self.to_rest = programs.to_rest

    def follow(self, rest: Tensor, keys: Tensor) -> Tensor:
        """From rest (B, D) through the key poses (B, K, D) and back: (B, D, T)."""
        places = torch.cat([rest[:, None], keys, rest[:, None]], 1)
        last = self.poses[:, None, None].expand(-1, 1, places.shape[2])
        end = torch.where(self.to_rest[:, None, None], rest[:, None], places.gather(1, last))
        places = places.scatter(1, last + 1, end).transpose(1, 2)  # (B, D, K + 2)
        index = self.place[:, None].expand(-1, places.shape[1], -1)
        return torch.lerp(places.gather(2, index), places.gather(2, index + 1), self.share[:, None])


def _while(time: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """1 from begin to end, rising and falling within a few frames; at the ends of time at once."""
    rise = torch.where(begin > 0, ((time - begin) / 0.1).clamp(0, 1), 1.0)
    return torch.where(end < 1, ((end - time) / 0.1).clamp(0, 1), 1.0) * rise


@dataclass(frozen=True)
class _Trunk:
    """The trunk's way: `up` (B, 3, T), and how limbs and shoulders that hang on it turn."""

    up: Tensor
    axis: Tensor
    bow: Tensor
    twist: Tensor
    moved: Tensor

    def turned(self, directions: Tensor) -> Tensor:
        """(B, ..., 3, T) turned as the chest is."""
        return about(about_y(directions, self.twist), self.axis, self.bow)

    def carried(self, limbs: Tensor, held: Tensor) -> Tensor:
        """Arms (B, 2, 3, T) turned as the chest is; of one that is not held, it hangs (B, 2, T)."""
        hangs = about_y(limbs, self.twist)
        return functional.normalize(torch.lerp(hangs, self.turned(limbs), held[:, :, None]), dim=2)


def _trunk(programs: Programs, draw: Draw, clock: _Clock, amount: Tensor) -> _Trunk:
    count = len(programs)
    begin = 0.6 * programs.trunk_at[:, None]
    rising = ((clock.early - begin) / programs.trunk_width[:, None]).clamp(0, 1)
    middle, width = 0.3 + 0.4 * programs.trunk_at, 0.12 + 0.2 * programs.trunk_width
    bump = (-0.5 * ((clock.progress - middle[:, None]) / width[:, None]) ** 2).exp()
    moved = torch.where(programs.trunk_stays[:, None], rising, bump)
    moved = torch.where(programs.trunk_rises[:, None], 1 - rising, moved)
    moved = moved * moved * (3 - 2 * moved)  # (B, T)
    bow = -(programs.bow * amount)[:, None] * moved
    upright = torch.tensor([0.0, 1.0, 0.0], device=draw.device)
    stance = functional.normalize(upright + draw.normal(count, 3, spread=0.05), dim=1)
    stance = stance[:, :, None].expand(-1, -1, moved.shape[1])
    axis = programs.bow_axis[:, :, None]
    up = about(stance, axis, bow)
    return _Trunk(up, axis, bow, (programs.twist * amount)[:, None] * moved, moved)


def _legs(
    programs: Programs, draw: Draw, clock: _Clock, moved: Tensor, amount: Tensor, manner: Manner
) -> list[Tensor]:
    """Directions (B, 2, 3, T) of thighs and shanks."""
    count = len(programs)
    down = torch.tensor([0.05, -1.0, 0.0], device=draw.device)
    rest = functional.normalize(down + draw.normal(count, 2, 3, spread=0.03), dim=-1)
    keys = programs.thigh + draw.normal(count, 2, KEYS, 3, spread=manner.carelessness)
    takes_part = programs.legs[:, :, None]
    keys = torch.where(takes_part[..., None], keys, rest[:, :, None])
    knees = torch.where(takes_part, programs.knee, 0.0)
    way = clock.follow(rest.flatten(1), keys.transpose(1, 2).flatten(2))
    thigh = functional.normalize(_outward(way.unflatten(1, (2, 3))), dim=2)
    knee = clock.follow(rest.new_zeros(count, 2), knees.transpose(1, 2))
    pace = programs.cadence * draw.factor(count, spread=0.12)
    phase = 2 * math.pi * (pace[:, None] * clock.frames + draw.uniform(count, 1))
    phase = phase[:, None] + phase.new_tensor([0.0, math.pi])[:, None]  # (B, 2, T)
    step = (programs.lift[:, None] * clock.walking)[:, None]
    depth = ((programs.squat * amount).clamp(0, 1.1)[:, None] * moved)[:, None]
    thigh = about_x(thigh, 0.5 * step * phase.sin() + 1.5 * depth)
    knee = knee + 0.9 * step * (phase - 1.2).sin().clamp(min=0) + 1.9 * depth
    return [thigh, about_x(thigh, -knee.clamp(0, KNEE))]


def _arms(
    programs: Programs, draw: Draw, clock: _Clock, amount: Tensor, manner: Manner
) -> list[Tensor]:
    """Directions (B, 2, 3, T) of upper arms and forearms, before the trunk turns them."""
    count = len(programs)
    hanging = draw.normal(count, 2, 2, 3, spread=0.09) + torch.tensor(
        [[0.18, -1.0, 0.0], [0.05, -1.0, -0.2]], device=draw.device
    )
    hanging = functional.normalize(hanging, dim=-1)  # (B, 2 sides, 2 bones, 3)

    def varied(directions: Tensor) -> Tensor:
        style = draw.normal(count, 2, 1, 3, spread=manner.style)
        each = draw.normal(count, 2, KEYS, 3, spread=manner.carelessness)
        return functional.normalize(directions + style + each, dim=-1)

    upper = varied(programs.upper)
    bend = varied(programs.bend)
    bend = functional.normalize(bend - (bend * upper).sum(-1, keepdim=True) * upper, dim=-1)
    elbow = programs.elbow + draw.normal(count, 2, 1, spread=manner.style)
    elbow = (elbow + draw.normal(count, 2, KEYS, spread=0.1)).clamp(0, ELBOW)[..., None]
    keys = torch.stack([upper, upper * elbow.cos() + bend * elbow.sin()], 3)  # (B, 2, K, 2, 3)
    takes_part = programs.arms[:, :, None, None, None]
    keys = torch.where(takes_part, keys, hanging[:, :, None])
    away = clock.follow(keys.new_zeros(count, 1), keys.new_ones(count, KEYS, 1))  # (B, 1, T)
    way = clock.follow(hanging.flatten(1), keys.transpose(1, 2).flatten(2)).unflatten(1, (2, 2, 3))
    way = functional.normalize(way, dim=3)
    upper, forearm = way.unbind(2)
    wave = _waves(programs, draw, clock, upper, amount) * away[:, :, None]
    upper = upper + torch.where(programs.wave_below[:, :, None, None], 0.0, wave)
    upper = functional.normalize(upper, dim=2)
    forearm = functional.normalize(forearm + wave, dim=2)
    pace = 2 * math.pi * programs.cadence[:, None] * clock.frames + draw.uniform(count, 1)
    swing = pace[:, None] + pace.new_tensor([math.pi, 0.0])[:, None]
    swing = 0.4 * (programs.lift[:, None] * clock.walking)[:, None] * swing.sin()
    return [about_x(_outward(upper), swing), about_x(_outward(forearm), 1.2 * swing)]


def _held(programs: Programs, clock: _Clock) -> Tensor:
    """How far each arm is held up rather than hanging, 0 to 1, (B, 2, T)."""
    keys = programs.arms.float()[:, None].expand(-1, KEYS, -1)
    return clock.follow(keys.new_zeros(len(keys), 2), keys)


def _waves(programs: Programs, draw: Draw, clock: _Clock, upper: Tensor, amount: Tensor) -> Tensor:
    """What waving adds to an arm's direction, (B, 2, 3, T)."""
    count = programs.wave_count * draw.factor(*programs.wave_count.shape, spread=0.3)
    turn = 2 * math.pi * count[:, :, None] * clock.progress[:, None]  # (B, 2, T)
    size = programs.wave_size * (amount[:, None] * programs.waves)[..., None]
    first = torch.linalg.cross(upper, programs.wave_axis[..., None].expand_as(upper), dim=2)
    first = functional.normalize(first, dim=2)
    second = torch.linalg.cross(upper, first, dim=2)
    one = size[..., :1] * turn.sin()
    other = size[..., 1:] * (turn + programs.wave_turn[..., None]).sin()
    return first * one[:, :, None] + second * other[:, :, None]


class _Body:
    """The lengths of a body's bones, and where they put its joints."""

    def __init__(self, count: int, draw: Draw, manner: Manner) -> None:
        self.size = draw.factor(count, spread=manner.size)
        self.draw, self.proportions = draw, manner.proportions

    def bone(self, length: float) -> Tensor:
        """Of usual length, metres: (B, 1, 1)."""
        ratio = self.draw.factor(len(self.size), spread=self.proportions)
        return (length * ratio * self.size)[:, None, None]

    def joints(self, trunk: _Trunk, legs: list[Tensor], arms: list[Tensor]) -> Tensor:
        """(B, 25, 3, T), the base of the spine at the origin."""
        count, _, frames = trunk.up.shape
        base = trunk.up.new_zeros(count, 3, frames)
        spine = self.bone(_TRUNK)
        mid, shoulders = 0.5 * spine * trunk.up, spine * trunk.up
        look = trunk.up + self.draw.normal(count, 3, 1, spread=0.08)
        neck = shoulders + self.bone(0.07) * look
        found = {"spine_base": base, "spine_mid": mid, "spine_shoulder": shoulders, "neck": neck}
        found["head"] = neck + self.bone(0.14) * look
        across = base.new_tensor([1.0, 0.0, 0.0])[:, None].expand_as(base)
        level = trunk.turned(across)
        wide, hips = self.bone(0.18), self.bone(0.085)
        bones = [self.bone(length) for length in (0.28, 0.25, 0.08, 0.08, 0.42, 0.40, 0.14)]
        upper_arm, lower_arm, palm, fingers, thigh, shank, sole = bones
        toes = functional.normalize(base.new_tensor([0.0, -0.3, -1.0]), dim=0)[:, None]
        for side, name in ((LEFT, "left"), (RIGHT, "right")):
            out = OUTWARD[side]
            upper, forearm = arms[0][:, side], arms[1][:, side]
            shoulder = shoulders + out * wide * level - 0.03 * trunk.up
            elbow = shoulder + upper_arm * upper
            wrist = elbow + lower_arm * forearm
            hand = wrist + palm * forearm
            hip = base + out * hips * across - 0.03 * across.roll(1, 1)
            knee = hip + thigh * legs[0][:, side]
            ankle = knee + shank * legs[1][:, side]
            inward = upper - (upper * forearm).sum(1, keepdim=True) * forearm
            limbs = {
                "shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hand": hand,
                "hand_tip": hand + fingers * forearm, "thumb": hand - 0.03 * inward,
                "hip": hip, "knee": knee, "ankle": ankle, "foot": ankle + 0.7 * sole * toes,
            }  # fmt: skip
            found |= {f"{name}_{joint}": where for joint, where in limbs.items()}
        return torch.stack([found[joint] for joint in JOINTS], 1)


def _on_the_floor(
    joints: Tensor, programs: Programs, draw: Draw, clock: _Clock, amount: Tensor
) -> Tensor:
    """Joints (B, 25, 3, T) with a foot on the floor, and the foot that bears weight at rest."""
    feet = joints[
        :, [JOINTS.index(f"{s}_{j}") for s in ("left", "right") for j in ("ankle", "foot")]
    ]
    lowest = feet[:, :, 1].amin(1)
    weight = functional.softmax((lowest[:, None] - feet[:, :, 1]) / _CONTACT_HEIGHT, 1)
    step = -(weight[:, :, None, 1:] * feet.diff(dim=3)).sum(1)
    heading = programs.turning[:, None] * clock.walking.cumsum(1) / clock.walking.shape[1]
    path = functional.pad(about_y(step, heading[:, 1:]), (1, 0)).cumsum(2)
    path = path * (programs.travels | ~programs.walks)[:, None, None]
    air = programs.jump[:, None] * amount[:, None]
    air = air * (-0.5 * ((clock.progress - 0.55) / 0.09) ** 2).exp()
    path = torch.stack([path[:, 0], air - lowest, path[:, 2]], 1)
    return about_y(joints, heading) + path[:, None]


def _outward(directions: Tensor) -> Tensor:
    """(B, 2, 3, T) from outward, up and back to x, y and z."""
    sign = directions.new_ones(2, 3, 1)
    sign[LEFT, 0] = OUTWARD[LEFT]
    return directions * sign
