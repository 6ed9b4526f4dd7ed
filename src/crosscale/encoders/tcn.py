"""A residual convolution over time, which sees all nodes and coordinates as channels.

On a processor it takes a fraction of the time of a graph convolution; what it loses is that nodes
are no longer treated alike. Source: Wang, Yan and Oates, "Time series classification from scratch
with deep neural networks" (IJCNN 2017), with velocities beside the coordinates.

A chiral one knows that bodies have two sides: the halves of its channels see a body and its mirror
image by the same weights. Source: Yeh, Hu and Schwing, "Chirality nets for human pose regression"
(NeurIPS 2019).
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import Encoder, Layer, affine
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
        chiral: whether left and right share weights. Then each layer's first half of the channels
            are for the mirror image what the second half are for the body, so that a mirror
            exchanges the halves and changes nothing else; width must be even.
    """

    width: int = 64
    dropout: float = 0.0
    chiral: bool = False


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
        if settings.chiral and settings.width % 2:
            raise CrosscaleError(
                f"encoder.width must be even where encoder.chiral is true, not {settings.width}"
            )
        if settings.chiral and graph.other_side == list(range(len(graph.names))):
            raise CrosscaleError(
                "encoder.chiral needs nodes whose names tell left from right, such as left_arm and "
                "right_arm: name them so in the layout, or say --encoder.chiral false"
            )
        width = settings.width
        self.image = Image(graph, channels) if settings.chiral else None
        kinds = CHIRAL if settings.chiral else PLAIN
        inputs = 2 * channels * len(graph.names) * (1 + settings.chiral)
        self.stem = nn.Sequential(kinds.convolution(inputs, width), kinds.norm(width), nn.ReLU())
        shapes = [(width, width, 1), (width, width, 2), (width, width, 1), (width, 2 * width, 2)]
        self.blocks = nn.ModuleList(Block(*shape, settings.dropout, kinds) for shape in shapes)

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
        seen = [x] if self.image is None else [x, self.image(x)]
        rows = [with_velocity(one).transpose(2, 3).flatten(1, 2) for one in seen]
        hidden = self.stem(torch.cat(rows, dim=1))  # from (B, 2 C V, T), or twice as many rows
        yield hidden.unsqueeze(2)
        for block in self.blocks:
            hidden = block(hidden)
            yield hidden.unsqueeze(2)

    @torch.no_grad()
    def fused(self) -> nn.Module:
        """A copy whose convolutions normalise too."""
        made = cast(TCN, super().fused())
        made.stem = nn.Sequential(_folded(made.stem[0], made.stem[1]), nn.ReLU())
        for block in made.blocks:
            cast(Block, block).fold()
        return made.requires_grad_(False)


class Convolution(nn.Conv1d):
    """A convolution over time that keeps the number of frames, or a share of it."""

    def __init__(
        self, inputs: int, outputs: int, taps: int = TAPS, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, taps, stride, taps // 2, groups=groups, bias=False)


class ChiralConvolution(Convolution):
    """One that does to the halves of its channels what it does to them exchanged.

    So what the halves have in common and in what they differ are convolved apart, which takes half
    of the work.
    """

    def __init__(self, inputs: int, outputs: int, taps: int = TAPS, stride: int = 1) -> None:
        super().__init__(inputs, outputs, taps, stride, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C', T')."""
        return _sum_and_difference(super().forward(_sum_and_difference(x)))


class ChiralNorm(nn.Module):
    """Batch normalisation of both halves of the channels alike."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same shape."""
        halves = x.unflatten(1, (2, -1))
        normed: Tensor = self.norm(halves.flatten(0, 1))
        return normed.view(halves.shape).flatten(1, 2)


class Image(nn.Module):
    """A body as a mirror across its middle shows it."""

    other_side: Tensor
    sign: Tensor

    def __init__(self, graph: Graph, channels: int) -> None:
        super().__init__()
        sign = torch.ones(channels, 1, 1)
        sign[0] = -1
        self.register_buffer("other_side", torch.tensor(graph.other_side), persistent=False)
        self.register_buffer("sign", sign, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Bodies (B, C, T, V) to the same shape."""
        return x[..., self.other_side] * self.sign


class Kinds(NamedTuple):
    """Of what layers are made."""

    convolution: type[Convolution]
    norm: type[nn.BatchNorm1d] | type[ChiralNorm]


PLAIN, CHIRAL = Kinds(Convolution, nn.BatchNorm1d), Kinds(ChiralConvolution, ChiralNorm)


class Block(nn.Module):
    """Two convolutions over time, and a path around them."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, dropout: float, kinds: Kinds
    ) -> None:
        super().__init__()
        convolution, norm = kinds
        self.first = convolution(inputs, outputs, stride=stride)
        self.first_norm: nn.Module = norm(outputs)
        self.dropout = nn.Dropout1d(dropout)
        self.second = convolution(outputs, outputs)
        self.second_norm: nn.Module = norm(outputs)
        self.around: nn.Module = nn.Identity()
        if inputs != outputs or stride > 1:
            self.around = nn.Sequential(
                convolution(inputs, outputs, taps=1, stride=stride), norm(outputs)
            )

    def fold(self) -> None:
        """Normalise within the convolutions."""
        self.first, self.first_norm = _folded(self.first, self.first_norm), nn.Identity()
        self.second, self.second_norm = _folded(self.second, self.second_norm), nn.Identity()
        if isinstance(self.around, nn.Sequential):
            self.around = _folded(*self.around)

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


def _sum_and_difference(x: Tensor) -> Tensor:
    """Of the halves of the channels of (B, C, T), one after the other."""
    one, other = x.chunk(2, dim=1)
    return torch.cat([one + other, one - other], dim=1)


def _folded(layer: nn.Module, norm: nn.Module) -> Convolution:
    """A convolution that normalises too, as it does in evaluation."""
    made, chiral = cast(Convolution, copy.deepcopy(layer)), isinstance(norm, ChiralNorm)
    scale, shift = affine(cast(nn.BatchNorm1d, norm.norm if chiral else norm))
    if chiral:  # what is added to both halves is added to their sum alone
        scale, shift = scale.repeat(2), torch.cat([shift, torch.zeros_like(shift)])
    made.weight = nn.Parameter(made.weight * scale[:, None, None])
    made.bias = nn.Parameter(shift)
    return made
