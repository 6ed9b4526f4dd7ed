"""Turning tensors (B, ..., 3, T) about axes; time is last."""

import torch
from torch import Tensor


def about_x(directions: Tensor, angle: Tensor) -> Tensor:
    """Turn (B, ..., 3, T) about x by an angle that fits (B, ..., T)."""
    x, y, z = directions.unbind(-2)
    while angle.dim() < y.dim():
        angle = angle.unsqueeze(1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([x, cos * y - sin * z, sin * y + cos * z], -2)


def about_y(directions: Tensor, angle: Tensor) -> Tensor:
    """Turn (B, ..., 3, T) to the left by an angle (B, T) or (B, 1)."""
    x, y, z = directions.unbind(-2)
    while angle.dim() < y.dim():
        angle = angle.unsqueeze(1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x + sin * z, y, cos * z - sin * x], -2)


def about(directions: Tensor, axis: Tensor, angle: Tensor) -> Tensor:
    """Turn (B, ..., 3, T) about an axis (B, 3, 1) by an angle (B, T)."""
    while angle.dim() < directions.dim():
        angle = angle.unsqueeze(1)
    while axis.dim() < directions.dim():
        axis = axis.unsqueeze(1)
    axis = axis.expand_as(directions)
    cos, sin = angle.cos(), angle.sin()
    along = (axis * directions).sum(-2, keepdim=True)
    aside = torch.linalg.cross(axis, directions, dim=-2)
    return directions * cos + aside * sin + axis * along * (1 - cos)
