"""Views of a clip in time: one draw per sample, on (N, C, T, V, M)."""

import torch
from torch import Tensor

from crosscale.augment.random import Augmentation, checked_probability
from crosscale.errors import CrosscaleError
from crosscale.transforms.frames import between_frames, centres, take_frames


class PadCrop(Augmentation):
    """Mirror T·ratio frames at both ends, then crop T frames at random, as published.

    The mirror repeats the end frame itself.
    """

    def __init__(self, ratio: float = 1 / 6) -> None:
        super().__init__()
        if not 0 <= ratio <= 1:
            raise CrosscaleError(f"crop must be from 0 to 1, not {ratio}")
        self.ratio = ratio

    def __call__(self, x: Tensor) -> Tensor:
        """Crop each sample."""
        n, frames = x.shape[0], x.shape[2]
        pad = int(frames * self.ratio + 1e-6)  # 1/6 is not exact in binary
        start = self.integers(-pad, pad, (n, 1), x.device)
        at = start + torch.arange(frames, device=x.device)
        at = torch.where(at < 0, -1 - at, at)
        at = torch.where(at >= frames, 2 * frames - 1 - at, at)
        return take_frames(x.transpose(1, 2), at).transpose(1, 2)


class CropResize(Augmentation):
    """Stretch a random window, of a share between `low` and `high` of the frames, to T frames."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if not 0 < low <= high <= 1:
            raise CrosscaleError(f"resize needs 0 < low <= high <= 1, not {low} and {high}")
        self.low, self.high = low, high

    def __call__(self, x: Tensor) -> Tensor:
        """Crop and stretch each sample."""
        n, frames = x.shape[0], x.shape[2]
        length = frames * self.uniform(self.low, self.high, (n,), x)
        start = (frames - length) * self.uniform(0, 1, (n,), x)
        at = start[:, None] + centres(length, frames)
        return between_frames(x.transpose(1, 2), at).transpose(1, 2)


class Reverse(Augmentation):
    """Play a clip backwards with probability p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = checked_probability(p, "reverse")

    def __call__(self, x: Tensor) -> Tensor:
        """Turn some samples round."""
        chosen = self.uniform(0, 1, (len(x), 1, 1, 1, 1), x) < self.p
        return torch.where(chosen, x.flip(2), x)


class Blur(Augmentation):
    """Smooth over time with a Gaussian of up to `sigma` frames; every second sample on average."""

    REACH = 7  # frames to each side

    def __init__(self, sigma: float) -> None:
        super().__init__()
        if not 0 <= sigma <= self.REACH:
            raise CrosscaleError(f"blur must be from 0 to {self.REACH} frames, not {sigma}")
        self.sigma = sigma

    def __call__(self, x: Tensor) -> Tensor:
        """Smooth some samples; a clip is held beyond its ends."""
        n, frames = x.shape[0], x.shape[2]
        sigma = self.uniform(min(0.1, self.sigma), self.sigma, (n, 1), x)
        chosen = self.uniform(0, 1, (n, 1), x) < 0.5
        away = torch.arange(-self.REACH, self.REACH + 1, device=x.device, dtype=x.dtype)
        weight = torch.softmax(-0.5 * (away / sigma.clamp(min=1e-3)) ** 2, dim=1)  # (N, 15)
        weight = torch.where(chosen, weight, (away == 0).to(x.dtype))
        at = torch.arange(frames, device=x.device)[:, None] + away.long()
        mixing = x.new_zeros(n, frames, frames)
        columns = at.clamp(0, frames - 1).expand(n, -1, -1)
        mixing.scatter_add_(2, columns, weight[:, None].expand(-1, frames, -1))
        return torch.einsum("nts,ncsvm->nctvm", mixing, x)
