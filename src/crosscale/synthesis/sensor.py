"""What sensors make of bodies: where they stand, and how they err.

Joints are (B, V, 3, T), in metres.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from crosscale.skeleton.layout import Layout
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.rotation import about_x

_BODY = Layout.load("ntu25")
_LIMBS = (("elbow", "wrist", "hand", "hand_tip", "thumb"), ("knee", "ankle", "foot"))


def sensed(joints: Tensor, draw: Draw, manner: Manner) -> Tensor:
    """Joints (B, V, 3, T) as a tilted sensor that errs would give them."""
    count, places, _, frames = joints.shape
    tilt = draw.normal(2, count, 1, spread=manner.tilt)
    x = about_x(joints, tilt[0])
    x, y, z = x.unbind(2)
    cos, sin = tilt[1].cos()[:, None], tilt[1].sin()[:, None]
    x = torch.stack([cos * x - sin * y, sin * x + cos * y, z], 2)
    shift = draw.normal(count, places, 3, 1, spread=manner.shift)
    knots = draw.normal(count, places * 3, 6, spread=manner.sway) * draw.uniform(count, 1, 1)
    sway = functional.interpolate(knots, size=frames, mode="linear", align_corners=True)
    noise = draw.normal(count, places * 3, frames, spread=manner.noise) * draw.uniform(count, 1, 1)
    noise = noise * draw.factor(count, 1, 1, spread=manner.distance) ** 2
    noise = functional.avg_pool1d(noise, 3, 1, 1)
    x = x + shift + (sway + noise).unflatten(1, (places, 3))
    spikes = draw.uniform(count, places, 1, frames) < 0.01 * draw.chance(
        manner.spikes, count, 1, 1, 1
    )
    x = x + spikes * draw.normal(count, places, 3, 1, spread=0.15)
    return _lost(x + _unseen(joints, draw, manner), draw, manner)


def _unseen(joints: Tensor, draw: Draw, manner: Manner) -> Tensor:
    """How far a sensor that sees a body from one side is wrong about what the body hides."""
    count, places, _, frames = joints.shape
    side = draw.uniform(count, 1, low=-1, high=1) * math.radians(manner.side)
    from_middle = joints - joints.mean(1, keepdim=True)
    away = from_middle[:, :, 2] * side.cos()[:, None] - from_middle[:, :, 0] * side.sin()[:, None]
    knots = draw.normal(count, places * 3, 8, spread=manner.hidden) * draw.uniform(count, 1, 1)
    wrong = functional.interpolate(knots, size=frames, mode="linear", align_corners=True)
    hidden = ((away - 0.1) / 0.05).sigmoid()  # what lies behind the middle of the body
    return wrong.unflatten(1, (places, 3)) * hidden[:, :, None]


def _lost(x: Tensor, draw: Draw, manner: Manner) -> Tensor:
    """A sensor that loses sight of a joint leaves it where it was for a while."""
    count, places, _, frames = x.shape
    joint = torch.arange(places, device=x.device) == draw.integer(0, places - 1, count)[:, None]
    joint &= draw.chance(manner.lost, count, 1)
    while_lost = _spell(count, frames, draw)
    before = (while_lost.int().argmax(1) - 1).view(-1, 1, 1, 1)
    held = x.gather(3, before.expand(-1, places, 3, 1))
    return torch.where((joint[:, :, None] & while_lost[:, None])[:, :, None], held, x)


def mistaken(joints: Tensor, draw: Draw, manner: Manner) -> Tensor:
    """Joints (B, 25, 3, T) of `ntu25`, in some of which left and right are exchanged for a while.

    Those of the arms or those of the legs, as estimators and trackers do that lose their way.
    """
    count, _, _, frames = joints.shape
    arms = draw.chance(0.5, count, 1)
    limbs = torch.stack([_exchangeable(names, joints.device) for names in _LIMBS])
    these = torch.where(arms, limbs[0], limbs[1]) & draw.chance(manner.mistaken, count, 1)
    when = _spell(count, frames, draw)
    exchanged = joints[:, _BODY.other_side]
    return torch.where((these[:, :, None] & when[:, None])[:, :, None], exchanged, joints)


def _exchangeable(names: tuple[str, ...], device: torch.device) -> Tensor:
    """Which joints of the body have one of these names, of either side (25,)."""
    ends = [name.partition("_")[2] for name in _BODY.joints]
    return torch.tensor([end in names for end in ends], device=device)


def _spell(count: int, frames: int, draw: Draw) -> Tensor:
    """Some consecutive frames of each, a third at most, not the first (B, T)."""
    begin = draw.integer(1, frames - 2, count)
    end = begin + draw.integer(2, max(2, frames // 3), count)
    time = torch.arange(frames, device=begin.device)
    return (time >= begin[:, None]) & (time < end[:, None])
