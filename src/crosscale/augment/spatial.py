"""Views of a clip in space: one draw per sample, on (N, C, T, V, M).

All but jitter are linear, so an absent body (all zeros) stays absent; jitter leaves it alone.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from crosscale.augment.random import Augmentation, Constant, checked_probability
from crosscale.errors import CrosscaleError


class Shear(Augmentation):
    """Multiply by a matrix of ones on the diagonal, ±amplitude elsewhere."""

    def __init__(self, amplitude: float) -> None:
        super().__init__()
        self.amplitude = _not_negative(amplitude, "shear")

    def __call__(self, x: Tensor) -> Tensor:
        """Shear each sample."""
        n, c = x.shape[:2]
        off = 1 - torch.eye(c, device=x.device, dtype=x.dtype)
        matrix = 1 - off + off * self.uniform(-self.amplitude, self.amplitude, (n, c, c), x)
        return _multiply(matrix, x)


class Rotate(Augmentation):
    """Turn about the vertical y axis by up to ±angle degrees."""

    def __init__(self, angle: float) -> None:
        super().__init__()
        self.angle = math.radians(_not_negative(angle, "rotate"))

    def __call__(self, x: Tensor) -> Tensor:
        """Turn each sample."""
        if x.shape[1] != 3:
            raise CrosscaleError(
                f"clips of {x.shape[1]} coordinates cannot be turned: set rotate to 0"
            )
        angle = self.uniform(-self.angle, self.angle, (len(x),), x)
        cos, sin, zero, one = angle.cos(), angle.sin(), angle * 0, angle * 0 + 1
        rows = [cos, zero, -sin, zero, one, zero, sin, zero, cos]
        return _multiply(torch.stack(rows, dim=1).unflatten(1, (3, 3)), x)


class Tilt(Augmentation):
    """Turn about one of the three axes, drawn for each sample, by up to ±angle degrees."""

    def __init__(self, angle: float) -> None:
        super().__init__()
        self.angle = math.radians(_not_negative(angle, "tilt"))

    def __call__(self, x: Tensor) -> Tensor:
        """Turn each sample."""
        if x.shape[1] != 3:
            raise CrosscaleError(
                f"clips of {x.shape[1]} coordinates cannot be tilted: set tilt to 0"
            )
        axis = self.uniform(0, 3, (len(x),), x).long().clamp(max=2)
        angle = self.uniform(-self.angle, self.angle, (len(x), 1, 1), x)
        axes = torch.eye(3, device=x.device, dtype=x.dtype).expand(len(x), 3, 3)
        fixed = axes[0, axis].unsqueeze(1)  # (N, 1, 3)
        along = fixed.mT * fixed
        across = axes - along
        turned = torch.linalg.cross(fixed.expand(-1, 3, -1), axes).mT  # of each axis, as columns
        return _multiply(along + angle.cos() * across + angle.sin() * turned, x)


class HideAxis(Augmentation):
    """Set one of the coordinate axes, drawn for each sample, to zero with probability p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = checked_probability(p, "axis")

    def __call__(self, x: Tensor) -> Tensor:
        """Hide an axis of some samples."""
        n, axes = x.shape[:2]
        axis = self.uniform(0, axes, (n, 1), x).long().clamp(max=axes - 1)
        chosen = self.uniform(0, 1, (n, 1), x) < self.p
        hidden = chosen & (axis == torch.arange(axes, device=x.device))
        return x.masked_fill(hidden[:, :, None, None, None], 0.0)


class Scale(Augmentation):
    """Make larger or smaller by up to `ratio`, between 0 and 1."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        if not 0 <= ratio < 1:
            raise CrosscaleError(f"scale must be from 0 to below 1, not {ratio}")
        self.ratio = ratio

    def __call__(self, x: Tensor) -> Tensor:
        """Scale each sample."""
        return x * self.uniform(1 - self.ratio, 1 + self.ratio, (len(x), 1, 1, 1, 1), x)


class BoneLengths(Augmentation):
    """Make each bone longer or shorter by up to `ratio`, in all frames, as another body has it.

    What hangs on a bone moves with it; the centre of the graph stays.
    """

    def __init__(self, ratio: float, parents: Sequence[int]) -> None:
        super().__init__()
        if not 0 <= ratio < 1:
            raise CrosscaleError(f"bones must be from 0 to below 1, not {ratio}")
        self.ratio = ratio
        joints = len(parents)
        step = torch.zeros(joints, joints)
        for joint, parent in enumerate(parents):
            if parent != joint:
                step[joint, parent] = 1
        bones = torch.eye(joints) - step  # a joint's place minus its parent's
        self.bones = Constant(bones)
        self.chains = Constant(torch.linalg.inv(bones))  # sums bones from the centre to a joint
        self.centre = Constant(torch.tensor([j == parent for j, parent in enumerate(parents)]))

    def __call__(self, x: Tensor) -> Tensor:
        """Augmentation the bodies of each sample, all of a sample alike."""
        factors = self.uniform(1 - self.ratio, 1 + self.ratio, (len(x), x.shape[3]), x)
        chains, bones = (t.on(x.device, x.dtype) for t in (self.chains, self.bones))
        factors = torch.where(self.centre.on(x.device), 1.0, factors)
        change = torch.einsum("vb,nb,bw->nvw", chains, factors, bones)  # (N, V, V)
        return torch.einsum("nvw,nctwm->nctvm", change, x)


class Jitter(Augmentation):
    """Add normal noise of `sigma` metres to every coordinate of bodies that are there.

    Either anew in each frame, as a sensor's noise, or `held` for the clip, as another posture.
    """

    def __init__(self, sigma: float, *, held: bool = False) -> None:
        super().__init__()
        self.sigma = _not_negative(sigma, "jitter")
        self.held = held

    def __call__(self, x: Tensor) -> Tensor:
        """Disturb each sample."""
        there = (x != 0).flatten(1, 3).any(dim=1)[:, None, None, None, :]
        shape = (*x.shape[:2], 1 if self.held else x.shape[2], *x.shape[3:])
        return x + self.sigma * self.normal(shape, x) * there


class Mask(Augmentation):
    """Put each joint to the origin, which is the root's place, in all frames with probability p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = checked_probability(p, "mask")

    def __call__(self, x: Tensor) -> Tensor:
        """Hide joints of each sample."""
        draws = self.uniform(0, 1, (len(x), 1, 1, x.shape[3], 1), x)
        return x * (draws >= self.p)


class Mirror(Augmentation):
    """Exchange left and right with probability p, as a mirror across the body's middle does."""

    def __init__(self, p: float, other_side: Sequence[int]) -> None:
        super().__init__()
        self.p = checked_probability(p, "mirror")
        self.other_side = Constant(torch.tensor(other_side))

    def __call__(self, x: Tensor) -> Tensor:
        """Mirror some samples."""
        chosen = self.uniform(0, 1, (len(x), 1, 1, 1, 1), x) < self.p
        other = x[:, :, :, self.other_side.on(x.device)].clone()
        other[:, 0].neg_()
        return torch.where(chosen, other, x)


def _multiply(matrix: Tensor, x: Tensor) -> Tensor:
    """Each sample's (C, C) matrix times its coordinates."""
    return torch.einsum("nij,njtvm->nitvm", matrix, x)


def _not_negative(value: float, name: str) -> float:
    if not (value >= 0 and math.isfinite(value)):
        raise CrosscaleError(f"{name} must not be negative, and is {value}")
    return value
