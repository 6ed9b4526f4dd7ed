"""An augmentation of one's own: a stretch of each clip stands still, as where a sensor hangs.

    crosscale pretrain own/skeletonclr --data STORE --out RUN \
        --augment.further '[examples/own_augmentation.py:Freeze=0.3]'

In a recipe it is `augment: {further: [own_augmentation.py:Freeze=0.3]}`, and
`crosscale view STORE --views RECIPE` shows what becomes of clips.
"""

import torch
from torch import Tensor

from crosscale.augment.random import Augmentation
from crosscale.errors import CrosscaleError


class Freeze(Augmentation):
    """Hold a frame of each clip for up to `share` of its frames, anywhere in it."""

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise CrosscaleError(f"Freeze takes a share of the frames, from 0 to 1, not {share}")
        self.share = share

    def __call__(self, x: Tensor) -> Tensor:
        """Change clips (N, C, T, V, M).

        What is random is drawn by `uniform`, `normal` and `integers` of the base alone, a row a
        clip: so the seed decides, a resumed run sees what it would have seen, and each of several
        processes draws its own part.
        """
        clips, frames = x.shape[0], x.shape[2]
        length = frames * self.uniform(0, self.share, (clips, 1), x)
        start = (frames - length) * self.uniform(0, 1, (clips, 1), x)
        time = torch.arange(frames, device=x.device)
        held = (time >= start) & (time < start + length)
        shown = torch.where(held, start.ceil().long().clamp(max=frames - 1), time)  # (N, T)
        return x.gather(2, shown[:, None, :, None, None].expand_as(x))
