"""A residual convolution over time, which sees all nodes and coordinates as channels.

On a processor it takes a fraction of the time of a graph convolution; what it loses is that nodes
are no longer treated alike. Source: Wang, Yan and Oates, "Time series classification from scratch
with deep neural networks" (IJCNN 2017), with velocities beside the coordinates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import Encoder, Layer
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Graph

TAPS = 5
VELOCITY_SCALE = 6.0  # brings differences between frames to the size of coordinates


@dataclass(frozen=True)
class TCNSettings:
    """How large the encoder is.

    Attributes:
        width: channels of the first blocks; the last has twice as many, of which the mean, the
            largest and the deviation over time are the feature vector.
        dropout: share of channels dropped between the two convolutions of a block.
    """

    width: int = 64
    dropout: float = 0.0


class TCN(Encoder):
    """Convolution over time: coordinates and velocities of all nodes, through residual blocks."""

    Settings = TCNSettings
    static = True
    bodies_a_thread = 64
    pooling = "statistics"

    def __init__(self, graph: Graph, settings: TCNSettings, channels: int = 3) -> None:
        super().__init__(graph, settings, dim=6 * settings.width)
        if settings.width < 1:
            raise CrosscaleError(f"encoder.width must be 1 or more, not {settings.width}")
        width = settings.width
        inputs = 2 * channels * len(graph.names)
        self.stem = nn.Sequential(_convolution(inputs, width), nn.BatchNorm1d(width), nn.ReLU())
        shapes = [(width, width, 1), (width, width, 2), (width, width, 1), (width, 2 * width, 2)]
        self.blocks = nn.ModuleList(Block(*shape, settings.dropout) for shape in shapes)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The stem and every block; nodes are channels, so one is left."""
        width = self.settings.width
        blocks = [Layer(f"block {i}", width, nodes=1) for i in (1, 2, 3)]
        return (Layer("stem", width, 1), *blocks, Layer("block 4", 2 * width, 1))

    def each_map(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Bodies (B, C, T, V) to (B, width or twice that, 1, T'); there are no edges to be cut."""
        if token_mask is not None:
            x = x * token_mask.unsqueeze(1)
        hidden = with_velocity(x).transpose(2, 3).flatten(1, 2)  # (B, 2 C V, T)
        hidden = self.stem(hidden)
        yield hidden.unsqueeze(2)
        for block in self.blocks:
            hidden = block(hidden)
            yield hidden.unsqueeze(2)


class Block(nn.Module):
    """Two convolutions over time, and a path around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride=stride)
        self.first_norm = nn.BatchNorm1d(outputs)
        self.dropout = nn.Dropout1d(dropout)
        self.second = _convolution(outputs, outputs)
        self.second_norm = nn.BatchNorm1d(outputs)
        self.around: nn.Module = nn.Identity()
        if inputs != outputs or stride > 1:
            self.around = nn.Sequential(
                _convolution(inputs, outputs, taps=1, stride=stride), nn.BatchNorm1d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C', T')."""
        hidden = functional.relu(self.first_norm(self.first(x)))
        hidden = self.second_norm(self.second(self.dropout(hidden)))
        return functional.relu(hidden + self.around(x))


def with_velocity(x: Tensor) -> Tensor:
    """Bodies (B, C, T, V) with their velocities as further channels, (B, 2 C, T, V)."""
    # Not by torch.diff, which OpenVINO does not know.
    velocity = functional.pad(x[:, :, 1:] - x[:, :, :-1], (0, 0, 1, 0)) * VELOCITY_SCALE
    return torch.cat([x, velocity], dim=1)


def _convolution(inputs: int, outputs: int, taps: int = TAPS, stride: int = 1) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, taps, stride, taps // 2, bias=False)
