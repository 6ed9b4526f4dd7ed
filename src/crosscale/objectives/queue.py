"""The memory of past keys, at the same places for every stream."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class KeyQueue(nn.Module):
    """The last K keys of every branch, first in first out; any K, any batch.

    Attributes:
        keys: (B, K, D) of unit length, random directions at the start.
        clips: (K,) which clip each place holds, −1 at the start.
    """

    keys: Tensor
    clips: Tensor
    place: Tensor

    def __init__(self, branches: int, size: int, features: int) -> None:
        super().__init__()
        directions = functional.normalize(torch.randn(branches, size, features), dim=2)
        self.register_buffer("keys", directions)
        self.register_buffer("clips", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, keys: Tensor, clips: Tensor) -> None:
        """Take in a batch: keys (B, N, D) and the numbers of their clips (N,)."""
        size, count = self.keys.shape[1], keys.shape[1]
        kept = min(count, size)
        offsets = torch.arange(count - kept, count, device=keys.device)
        places = (self.place + offsets) % size
        self.keys[:, places] = keys[:, count - kept :].to(self.keys.dtype)
        self.clips[places] = clips[count - kept :]
        self.place.copy_((self.place + count) % size)
