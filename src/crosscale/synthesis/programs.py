"""Motion programs: random plans of human motion, drawn and performed in batches on any device.

A program says what is done: key poses of arms and legs, waves of a hand, a bow, a jump, a walk. A
performance says how: by which body, how fast, how large, in which manner. Two performances of one
program are the same action by different people, so they are exact positives for contrast; siblings
are programs that differ in one thing only, and make the contrast hard.

Directions of limbs are given outward, up and back, the same for both sides of the body.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from crosscale.synthesis.draw import Draw
from crosscale.synthesis.reaching import ELBOW, reaching

KEYS = 6  # key poses at most
LEFT, RIGHT = 0, 1
KNEE = 2.3  # radians, the furthest that one bends


@dataclass(frozen=True)
class Programs:
    """B programs. Limbs have an axis of two, left and right; K is `KEYS`.

    Attributes:
        poses: how many of the key poses are used, (B,).
        gaps: time from each key pose to the one before it, (B, K); what counts are their ratios.
        upper: directions of the upper arms at each key pose, (B, 2, K, 3).
        bend: to which side the forearms bend, (B, 2, K, 3).
        elbow: by how much, radians, (B, 2, K).
        thigh: directions of the thighs, (B, 2, K, 3).
        knee: radians, (B, 2, K).
        arms: which arms take part, (B, 2).
        legs: which legs do, (B, 2).
        waves: which arms wave, (B, 2).
        wave_size: radians along two axes, (B, 2, 2): a line, an ellipse or a circle.
        wave_turn: the phase between them, (B, 2); its sign says which way round.
        wave_axis: about which direction, (B, 2, 3).
        wave_count: how often in the action, (B, 2).
        wave_below: whether the forearm alone waves, (B, 2).
        bow: radians, (B,).
        bow_axis: (B, 3); across the body for a bow forward.
        twist: of the trunk to the left, radians, (B,).
        squat: depth, 0 to 1, (B,).
        jump: height in metres, (B,).
        trunk_at: when the trunk moves, 0 to 1, (B,).
        trunk_width: for how long, (B,).
        trunk_stays: whether it ends where it moved to, (B,).
        trunk_rises: whether it begins there and comes up, as from a seat, (B,).
        walks: whether the legs walk, (B,).
        walk_from: when they begin to, 0 to 1, (B,).
        walk_to: when they stop, (B,).
        travels: whether that leads anywhere, (B,).
        cadence: double steps in a clip, negative for backwards, (B,).
        turning: radians to the left in a clip, (B,).
        lift: how high the steps are, (B,).
        from_rest: whether the action begins standing, (B,).
        to_rest: whether it ends so, (B,).
        repeats: how often all is done, (B,).
    """

    poses: Tensor
    gaps: Tensor
    upper: Tensor
    bend: Tensor
    elbow: Tensor
    thigh: Tensor
    knee: Tensor
    arms: Tensor
    legs: Tensor
    waves: Tensor
    wave_size: Tensor
    wave_turn: Tensor
    wave_axis: Tensor
    wave_count: Tensor
    wave_below: Tensor
    bow: Tensor
    bow_axis: Tensor
    twist: Tensor
    squat: Tensor
    jump: Tensor
    trunk_at: Tensor
    trunk_width: Tensor
    trunk_stays: Tensor
    trunk_rises: Tensor
    walks: Tensor
    walk_from: Tensor
    walk_to: Tensor
    travels: Tensor
    cadence: Tensor
    turning: Tensor
    lift: Tensor
    from_rest: Tensor
    to_rest: Tensor
    repeats: Tensor

    def __len__(self) -> int:
        return len(self.poses)

    def take(self, rows: Tensor) -> "Programs":
        """The programs of these numbers."""
        return self._each(lambda name: getattr(self, name)[rows])

    def joined(self, other: "Programs") -> "Programs":
        """These, then others."""
        return self._each(lambda name: torch.cat([getattr(self, name), getattr(other, name)]))

    def where(self, changed: Tensor, other: "Programs", names: tuple[str, ...]) -> "Programs":
        """With some values of others in those programs that are to be changed, (B,)."""

        def value(name: str) -> Tensor:
            own: Tensor = getattr(self, name)
            mask = changed.reshape(-1, *[1] * (own.dim() - 1))
            return torch.where(mask, getattr(other, name), own)

        return dataclasses.replace(self, **{name: value(name) for name in names})

    def replaced(self, changed: Tensor, other: "Programs") -> "Programs":
        """Others in place of those programs that are to be changed, (B,)."""
        return self.where(changed, other, tuple(f.name for f in dataclasses.fields(self)))

    def _each(self, value: Callable[[str], Tensor]) -> "Programs":
        return Programs(**{f.name: value(f.name) for f in dataclasses.fields(self)})


_POSE = ("upper", "bend", "elbow", "thigh", "knee")
_LIMBS = (*_POSE, "arms", "legs", "waves", "wave_size", "wave_turn", "wave_axis", "wave_count")
_WAVE = ("waves", "wave_size", "wave_turn", "wave_axis", "wave_count", "wave_below")
_TRUNK = ("bow", "bow_axis", "twist", "squat", "jump", "trunk_at", "trunk_width")
_STAYS = ("trunk_stays", "trunk_rises")
_WALK = ("walks", "walk_from", "walk_to", "travels", "cadence", "turning", "lift", "repeats")


def draw_programs(count: int, draw: Draw) -> Programs:
    """Programs, each drawn for itself."""
    fine = draw.chance(0.35, count)  # many key poses near each other, else few and far apart
    holds = draw.chance(0.08, count)  # both hands hold something still
    both = draw.chance(0.35, count) | holds  # arms do the same
    arms = torch.stack([draw.chance(0.75, count), draw.chance(0.55, count)], 1)
    arms = torch.where(draw.chance(0.3, count)[:, None], arms.flip(1), arms) | both[:, None]
    upper, bend, elbow = _arms(count, fine, draw)
    reaches = draw.chance(0.25, count) | holds
    reached = reaching(draw, count, 2, KEYS)

    def either(reaching: Tensor, free: Tensor) -> Tensor:
        return torch.where(reaches.view(-1, *[1] * (free.dim() - 1)), reaching, free)

    upper, bend, elbow = map(either, reached, (upper, bend, elbow))
    again = torch.where(holds[:, None], 0, _again(count, draw))
    upper, bend, elbow = (_in_order(limb, again) for limb in (upper, bend, elbow))
    turned = draw.chance(0.4, count) & both & ~holds  # one arm is a key pose behind the other

    def same(limbs: Tensor) -> Tensor:
        """Left as right where both arms do the same."""
        shape = (-1, *[1] * (limbs.dim() - 2))
        right = limbs[:, RIGHT]
        left = torch.where(turned.view(shape), right.roll(1, 1), right)
        left = torch.where(both.view(shape), left, limbs[:, LEFT])
        return torch.stack([left, right], 1)

    def sometimes(share: float, value: Tensor) -> Tensor:
        return torch.where(draw.chance(share, count), value, torch.zeros_like(value))

    size = draw.uniform(count, 2, low=0.15, high=0.75)
    narrow = torch.where(draw.chance(0.5, count, 2), 0.3 * draw.uniform(count, 2), 1.0)
    across = torch.tensor([1.0, 0.0, 0.0], device=draw.device).expand(count, 3)
    stays, walking = draw.uniform(2, count)
    thigh = torch.tensor([0.0, -1.0, -0.5], device=draw.device) + draw.normal(
        count, 2, KEYS, 3
    ) * torch.tensor([0.35, 0.1, 0.7], device=draw.device)
    few, many = draw.integer(1, 3, count), draw.integer(2, KEYS, count)
    return Programs(
        poses=torch.where(fine, many, few),
        gaps=draw.uniform(count, KEYS, low=0.05),
        upper=same(upper),
        bend=same(bend),
        elbow=same(elbow),
        thigh=functional.normalize(thigh, dim=-1),
        knee=draw.uniform(count, 2, KEYS, high=1.9) * draw.chance(0.6, count, 2, 1),
        arms=arms,
        legs=torch.stack([draw.chance(0.3, count), draw.chance(0.2, count)], 1),
        waves=draw.chance(0.45, count, 2) & ~holds[:, None],
        wave_size=torch.stack([size, size * narrow], 2),
        wave_turn=torch.where(draw.chance(0.5, count, 2), math.pi / 2, -math.pi / 2),
        wave_axis=functional.normalize(draw.normal(count, 2, 3), dim=-1),
        wave_count=draw.uniform(count, 2, low=1, high=5),
        wave_below=draw.chance(0.4, count, 2),
        bow=sometimes(0.35, draw.uniform(count, high=1.3)),
        bow_axis=torch.where(
            draw.chance(0.8, count)[:, None],
            across,
            functional.normalize(
                draw.normal(count, 3) * torch.tensor([1, 0.6, 1.0], device=draw.device), dim=-1
            ),
        ),
        twist=sometimes(0.3, draw.uniform(count, low=-1.2, high=1.2)),
        squat=sometimes(0.3, draw.uniform(count, low=0.3)),
        jump=sometimes(0.12, draw.uniform(count, low=0.05, high=0.4)),
        trunk_at=draw.uniform(count),
        trunk_width=draw.uniform(count, low=0.15, high=0.65),
        trunk_stays=stays < 0.3,
        trunk_rises=(stays >= 0.3) & (stays < 0.5),
        walks=draw.chance(0.25, count),
        walk_from=torch.where(walking < 0.25, draw.uniform(count, low=0.3, high=0.7), 0.0),
        walk_to=torch.where(walking > 0.7, draw.uniform(count, low=0.3, high=0.7), 1.0),
        travels=draw.chance(0.7, count),
        cadence=draw.uniform(count, low=1.5, high=5.5)
        * torch.where(draw.chance(0.15, count), -1.0, 1.0),
        turning=sometimes(0.3, draw.uniform(count, low=-2.5, high=2.5)),
        lift=draw.uniform(count, low=0.3, high=1.2),
        from_rest=draw.chance(0.75, count) & ~holds,
        to_rest=draw.chance(0.7, count) & ~holds,
        repeats=torch.where(draw.chance(0.25, count), draw.integer(2, 4, count), 1),
    )


def _arms(count: int, fine: Tensor, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """Upper arms and the bend of the forearms (B, 2, K, 3), and of the elbows (B, 2, K)."""

    def directions(bias: list[float], spread: float, near: float) -> Tensor:
        drawn = torch.tensor(bias, device=draw.device) + draw.normal(count, 2, KEYS, 3) * spread
        drawn = functional.normalize(drawn, dim=-1)
        close = functional.normalize(
            drawn[:, :, :1] + draw.normal(*drawn.shape, spread=near), dim=-1
        )
        return torch.where(fine[:, None, None, None], close, drawn)

    upper = within_reach(directions([0.0, -0.35, -0.55], 0.9, 0.3))
    bend = directions([0.0, 0.3, -0.8], 1.0, 0.4)
    elbow = draw.uniform(count, 2, KEYS, high=2.4)
    close = elbow[:, :, :1] + draw.normal(count, 2, KEYS, spread=0.4)
    elbow = torch.where(fine[:, None, None], close, elbow)
    straight = draw.chance(0.35, count, 2, 1)
    return upper, bend, torch.where(straight, 0.12 * elbow, elbow).clamp(0, ELBOW)


def _again(count: int, draw: Draw) -> Tensor:
    """For each key pose the number of that which is taken, (B, K): some are held, or come again."""
    number = torch.arange(KEYS, device=draw.device).expand(count, KEYS).clone()
    kind = draw.uniform(count, 1)
    alternate = number % 2
    held = torch.where(draw.chance(0.35, count, KEYS), (number - 1).clamp(min=0), number)
    return torch.where(kind < 0.06, alternate, torch.where(kind < 0.2, held, number))


def _in_order(limb: Tensor, order: Tensor) -> Tensor:
    """Key poses (B, 2, K, ...) in another order (B, K)."""
    rows = torch.arange(len(order), device=order.device)[:, None]
    return limb.transpose(1, 2)[rows, order].transpose(1, 2)


def within_reach(upper: Tensor) -> Tensor:
    """Directions of upper arms (..., 3) that a shoulder allows.

    Behind the body an arm comes up to the side only, and it crosses the chest in front of it.
    """
    out, up, back = upper.unbind(-1)
    back = torch.where(out < 0.3, back.clamp(max=0.5), back)
    out = torch.maximum(out, -0.35 - (-back).clamp(min=0) * 0.5)
    return functional.normalize(torch.stack([out, up, back], -1), dim=-1)


def siblings(programs: Programs, draw: Draw) -> Programs:
    """For each program another that differs from it in one thing."""
    count = len(programs)
    which = draw.integer(0, 6, count)
    other = draw_programs(count, draw)
    found = programs.where(which == 0, mirrored(programs), (*_LIMBS, "wave_below"))
    ends = ("from_rest", "to_rest", "walk_from", "walk_to", *_STAYS)
    found = found.where(which == 1, _reversed(programs), (*_POSE, *ends))
    found = found.where(which == 2, _one_pose_of(programs, other), _POSE)
    found = found.where(which == 3, other, _WAVE)
    found = found.where(which == 4, other, (*_TRUNK, *_STAYS))
    found = found.where(which == 5, other, _WALK)
    return found.where(which == 6, other, ("arms", "legs"))


def mirrored(programs: Programs) -> Programs:
    """The same as left-handers do it: left and right exchanged."""
    return dataclasses.replace(
        programs,
        twist=-programs.twist,
        turning=-programs.turning,
        bow_axis=programs.bow_axis * programs.bow_axis.new_tensor([1.0, -1.0, -1.0]),
        **{name: getattr(programs, name).flip(1) for name in (*_LIMBS, "wave_below")},
    )


def _reversed(programs: Programs) -> Programs:
    """With the order of the key poses turned round."""
    number = torch.arange(KEYS, device=programs.poses.device)
    order = torch.where(
        number < programs.poses[:, None], programs.poses[:, None] - 1 - number, number
    )
    return dataclasses.replace(
        programs,
        from_rest=programs.to_rest,
        to_rest=programs.from_rest,
        trunk_stays=programs.trunk_rises,
        trunk_rises=programs.trunk_stays,
        walk_from=1 - programs.walk_to,
        walk_to=1 - programs.walk_from,
        **{name: _in_order(getattr(programs, name), order) for name in _POSE},
    )


def _one_pose_of(programs: Programs, other: Programs) -> Programs:
    """With the first key pose of others."""
    pairs = {name: (getattr(other, name), getattr(programs, name)) for name in _POSE}
    first = {name: torch.cat([o[:, :, :1], own[:, :, 1:]], 2) for name, (o, own) in pairs.items()}
    return dataclasses.replace(programs, **first)
