"""Dropping what stands out: features without the joints and moments of most energy.

Source: AimCLR (Guo et al., AAAI 2022), "energy-based attention-guided drop"; the energy is that of
SimAM (Yang et al., ICML 2021).
"""

import torch
from torch import Tensor

STEADY = 1e-4  # keeps a channel that does not vary from dividing by zero
LEAST_ENERGY = 0.5


def drop_energetic(hidden: Tensor, most: float = 0.7) -> Tensor:
    """Set features of much energy to zero, first of whole joints, then of single moments.

    Args:
        hidden: (B, C, V, T).
        most: attention, from 0.62 to 1, from which on something is dropped.

    Returns:
        (B, C, V, T), what is left made larger by as much as was dropped.
    """
    with torch.no_grad():
        energy = attention(hidden)
        joints = (energy.mean(dim=(1, 3), keepdim=True) < most).to(hidden.dtype)  # (B, 1, V, 1)
        moments = (energy < most).to(hidden.dtype)
        factors = joints / joints.mean().clamp(min=STEADY)
        factors = factors * moments / moments.mean().clamp(min=STEADY)
    return hidden * factors


def attention(hidden: Tensor) -> Tensor:
    """How much each value of (B, C, V, T) stands out from its channel, from 0.62 to 1."""
    distance = (hidden - hidden.mean(dim=(2, 3), keepdim=True)) ** 2
    others = max(1, hidden.shape[2] * hidden.shape[3] - 1)
    spread = distance.sum(dim=(2, 3), keepdim=True) / others
    return torch.sigmoid(distance / (4 * (spread + STEADY)) + LEAST_ENERGY)
