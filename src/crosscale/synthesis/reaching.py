"""Where hands go, and how an arm brings them there."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from crosscale.synthesis.draw import Draw

ELBOW = 2.5  # radians, the furthest that one bends
# Where hands go, from the shoulder of their side: outward, up and back, metres of a usual body.
_TARGETS = (
    (-0.18, 0.16, -0.14),  # mouth
    (-0.10, 0.24, -0.02),  # ear
    (-0.16, 0.38, -0.02),  # top of the head
    (-0.30, -0.02, -0.13),  # the other shoulder
    (-0.17, -0.12, -0.18),  # chest
    (-0.17, -0.36, -0.18),  # belly
    (0.03, -0.45, -0.08),  # hip
    (-0.15, -0.42, 0.16),  # behind the back
    (-0.16, -0.10, -0.42),  # before the chest
    (-0.08, -0.30, -0.42),  # on a table
    (0.00, 0.00, -0.60),  # straight ahead
    (-0.05, 0.35, -0.42),  # on a shelf
    (-0.10, 0.58, -0.05),  # above the head
    (0.55, 0.00, -0.10),  # to the side
    (0.40, 0.40, -0.10),  # to the side and up
    (-0.05, -0.55, -0.22),  # down before the body
)
_UPPER_ARM, _FOREARM = 0.28, 0.33  # metres, the forearm with half the hand


def reaching(draw: Draw, *shape: int) -> tuple[Tensor, Tensor, Tensor]:
    """Arms whose hands go to places that hands go to.

    Two links reach a target in one plane; the elbow hangs down and out of it.

    Returns:
        Directions of the upper arms, and to which side the forearms bend (*shape, 3), outward, up
        and back; and by how much, radians (*shape).
    """
    places = torch.tensor(_TARGETS, device=draw.device)
    target = places[draw.integer(0, len(places) - 1, *shape)]
    target = target + draw.normal(*shape, 3, spread=0.12)
    far = target.norm(dim=-1, keepdim=True).clamp(0.2, _UPPER_ARM + _FOREARM - 0.01)
    ahead = functional.normalize(target, dim=-1)
    low = torch.tensor([0.45, -0.8, 0.35], device=draw.device)
    aside = low + draw.normal(*shape, 3, spread=0.3)
    aside = aside - (aside * ahead).sum(-1, keepdim=True) * ahead
    aside = functional.normalize(aside, dim=-1)
    a, b = _UPPER_ARM, _FOREARM
    cos = ((a * a + far * far - b * b) / (2 * a * far)).clamp(-1, 1)
    sin = (1 - cos * cos).sqrt()
    upper = cos * ahead + sin * aside
    bend = sin * ahead - cos * aside
    elbow = math.pi - ((a * a + b * b - far * far) / (2 * a * b)).clamp(-1, 1).acos()
    return upper, bend, elbow[..., 0].clamp(0, ELBOW)
