"""Reading a clip between its frames."""

import torch
from torch import Tensor


def between_frames(x: Tensor, at: Tensor) -> Tensor:
    """Values at fractional frames, linear between neighbours, held beyond the ends.

    Args:
        x: (N, T, ...) values at whole frames.
        at: (N, S) positions in frames.

    Returns:
        (N, S, ...).
    """
    at = at.clamp(0, x.shape[1] - 1)
    low = at.floor()
    weight = (at - low).to(x.dtype).reshape(*at.shape, *[1] * (x.dim() - 2))
    before = low.long()
    after = (before + 1).clamp(max=x.shape[1] - 1)
    return torch.lerp(take_frames(x, before), take_frames(x, after), weight)


def take_frames(x: Tensor, at: Tensor) -> Tensor:
    """Whole frames `at` (N, S) of each sample of `x` (N, T, ...), as (N, S, ...)."""
    return x[torch.arange(x.shape[0], device=x.device)[:, None], at]


def centres(length: Tensor, frames: int) -> Tensor:
    """Middles of `frames` equal slices of each `length` (N, real), in frames: (N, frames)."""
    steps = torch.arange(frames, device=length.device, dtype=length.dtype) + 0.5
    return steps * length[:, None] / frames - 0.5
