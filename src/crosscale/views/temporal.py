"""Views of a clip in time: one draw per sample, on (N, C, T, V, M)."""

import torch
from torch import Tensor

from crosscale.errors import CrosscaleError
from crosscale.streams.frames import between_frames, centres, take_frames
from crosscale.views.drawn import Drawn


class PadCrop(Drawn):
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
        start = torch.randint(
            -pad, pad + 1, (n, 1), generator=self.generator(x.device), device=x.device
        )
        at = start + torch.arange(frames, device=x.device)
        at = torch.where(at < 0, -1 - at, at)
        at = torch.where(at >= frames, 2 * frames - 1 - at, at)
        return take_frames(x.transpose(1, 2), at).transpose(1, 2)


class CropResize(Drawn):
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
