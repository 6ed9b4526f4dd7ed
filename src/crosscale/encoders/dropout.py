"""Dropout whose random numbers cost little on a processor without a GPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Row b holds the eight bits of b, each as 0 or 2: what a value is multiplied by.
_FACTORS = ((torch.arange(256)[:, None] >> torch.arange(8)) & 1).float() * 2


class Dropout(nn.Dropout):
    """`nn.Dropout`, with one random bit a value where half of the values are dropped on a CPU.

    PyTorch draws a whole random number a value there, which takes longer than the convolution
    beside it. The draws come from the global generator all the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of a tensor of any shape."""
        if not self.training or self.p != 0.5 or x.device.type != "cpu":
            return functional.dropout(x, self.p, self.training)
        return x * _halves(x)


def _halves(x: Tensor) -> Tensor:
    """0 or 2 for each value of x, laid out in memory as x is."""
    size = x.numel()
    words = torch.empty(-(-size // 64), dtype=torch.int64).random_(-(2**63), None)
    octets = words.view(torch.uint8)[: -(-size // 8)].int()
    flat = torch.index_select(_FACTORS, 0, octets).view(-1)[:size].to(x.dtype)
    if x.is_contiguous(memory_format=torch.channels_last) and x.dim() == 4:
        count, channels, height, width = x.shape
        return flat.view(count, height, width, channels).permute(0, 3, 1, 2)
    return flat.view(x.shape)
