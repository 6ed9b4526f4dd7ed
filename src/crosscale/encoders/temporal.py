"""The convolution over time, and its shorter way by frequencies.

Over a circle of frames long enough that its ends do not meet, a convolution is a product per
frequency. A complex product is three real ones (Karatsuba), whose sums are part of the transforms:
25 products of channels for 13 frames instead of 117.
"""

import math
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

TEMPORAL_KERNEL = 9
REACH = TEMPORAL_KERNEL // 2
LEAST_CHANNELS = 64  # below, transforming costs more than the shorter product saves


class TemporalConvolution(nn.Conv2d):
    """A convolution over nine frames, padded: in training on a processor by frequencies.

    Only where that pays, and in full precision: bf16 would round the frequencies too coarsely. A
    GPU likes few large kernels better.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__(
            channels, channels, (1, TEMPORAL_KERNEL), stride=(1, stride), padding=(0, REACH)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, T) to (N, C, V, T')."""
        return self._by_frequencies(x) if self._pays(x) else super().forward(x)

    def _pays(self, x: Tensor) -> bool:
        return (
            self.training
            and self.stride[1] == 1
            and max(LEAST_CHANNELS, x.shape[3]) <= self.in_channels
            and x.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
        )

    def _by_frequencies(self, x: Tensor) -> Tensor:
        count, channels, nodes, frames = x.shape
        to_points, taps, to_frames = (m.to(x) for m in transforms(frames))
        rows = x.permute(0, 2, 3, 1).reshape(count * nodes, frames, channels)
        points = torch.bmm(to_points.expand(len(rows), -1, -1), rows)
        by_tap = self.weight.squeeze(2).permute(2, 1, 0).reshape(TEMPORAL_KERNEL, -1)
        weight = (taps @ by_tap).view(-1, channels, channels)
        points = torch.bmm(points.transpose(0, 1), weight).transpose(0, 1)
        rows = torch.bmm(to_frames.expand(len(rows), -1, -1), points)
        rows += cast(Tensor, self.bias)
        return rows.view(count, nodes, frames, channels).permute(0, 3, 1, 2)


@cache
def transforms(frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames to points (P, T), taps to points (P, K), points to frames (T, P), in float64."""
    length = frames + REACH
    length += 1 - length % 2  # odd: then only frequency 0 is real, and the rest are alike
    time = torch.arange(length, dtype=torch.float64)
    ones = torch.ones_like(time)
    to_points, taps, to_frames = [ones], [ones], [ones / length]
    for frequency in range(1, length // 2 + 1):
        angle = 2 * math.pi * frequency * time / length
        cos, sin = angle.cos(), angle.sin()
        to_points += [cos - sin, cos, -sin]
        taps += [cos, -sin - cos, cos - sin]
        to_frames += [2 / length * wave for wave in (cos - sin, -sin, -cos)]
    places = [(REACH - tap) % length for tap in range(TEMPORAL_KERNEL)]
    return (
        torch.stack(to_points)[:, :frames],
        torch.stack(taps)[:, places],
        torch.stack(to_frames, dim=1)[:frames],
    )
