"""ST-GCN: a graph convolution over the joints, then a convolution over time, ten times.

Source: Yan et al., AAAI 2018; narrowed as in SkeletonCLR (CVPR 2021) and CrosScale-SGCLR.
Tensors inside are (N, C, V, T) in channels-last memory, so that every step is a matrix multiply
over contiguous channels.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from crosscale.encoders.base import Absent, Encoder, Layer
from crosscale.encoders.dropout import Dropout
from crosscale.encoders.temporal import TemporalConvolution
from crosscale.errors import CrosscaleError
from crosscale.skeleton.adjacency import Hops, partitioned_adjacency
from crosscale.skeleton.layout import Graph

SUBSETS = 3


@dataclass(frozen=True)
class EncoderSettings:
    """How large the encoder is and how it starts.

    Attributes:
        hidden: channels of the first blocks; later ones have two and four times as many.
        width: channels of the last block, the length of the feature vector.
        dropout: share of values dropped in every block but the first.
        hops: `exact` hop distances in the graph's partition, or the published `capped` ones.
        init: `fan_out` (He) or `published` (normal, 0.02) weights at the start.
        input_norm: what the first normalisation makes equally large: every coordinate of every
            `joint` (as published), or each `axis` over all joints, so that joints that hardly move
            are not made to look as if they did.
        bodies: `present` computes only bodies that are there; `all` computes empty ones too and
            averages over them, as the published code does.
    """

    hidden: int = 16
    width: int = 256
    dropout: float = 0.5
    hops: Hops = "exact"
    init: Literal["fan_out", "published"] = "fan_out"
    input_norm: Literal["joint", "axis"] = "joint"
    bodies: Absent = "present"


def block_shapes(settings: EncoderSettings, channels: int = 3) -> list[tuple[int, int, int]]:
    """Channels in, channels out and stride in time of each block."""
    small, middle, large = (settings.hidden * factor for factor in (1, 2, 4))
    outputs = [small] * 4 + [middle] * 3 + [large] * 2 + [settings.width]
    inputs = [channels, *outputs[:-1]]
    return [(inputs[i], outputs[i], 2 if i in (4, 7) else 1) for i in range(len(outputs))]


class STGCN(Encoder):
    """ST-GCN: graph convolution over joints or parts, then over time."""

    Settings = EncoderSettings
    static = True
    adjacency: Tensor

    def __init__(self, graph: Graph, settings: EncoderSettings, channels: int = 3) -> None:
        if settings.hidden < 1 or settings.width < 1:
            raise CrosscaleError("encoder.hidden and encoder.width must be 1 or more")
        super().__init__(graph, settings, dim=settings.width)
        self.bodies = settings.bodies
        nodes = len(graph.names)
        self.register_buffer(
            "adjacency", torch.from_numpy(partitioned_adjacency(graph, settings.hops))
        )
        self.norm_by = settings.input_norm
        self.input_norm: nn.Module = (
            nn.BatchNorm1d(channels * nodes)
            if settings.input_norm == "joint"
            else nn.BatchNorm2d(channels)
        )
        self.blocks = nn.ModuleList(
            Block(
                inputs,
                outputs,
                nodes,
                stride=stride,
                dropout=settings.dropout if i else 0.0,
                residual=i > 0,
            )
            for i, (inputs, outputs, stride) in enumerate(block_shapes(settings, channels))
        )
        initialise(self, settings.init)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every block."""
        return tuple(
            Layer(f"block {i + 1}", cast(Block, block).temporal.out_channels, len(self.graph.names))
            for i, block in enumerate(self.blocks)
        )

    def fused(self) -> nn.Module:
        """The same with fewer, larger operations."""
        from crosscale.encoders.fused import FusedSTGCN

        return FusedSTGCN(self)

    def each_map(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Bodies (B, C, T, V) to maps (B, D, V, T'), see `Encoder`."""
        adjacency = self.adjacency
        count, channels, frames, nodes = x.shape
        flat = x.permute(0, 3, 1, 2).reshape(count, nodes * channels, frames)
        if edge_mask is not None:
            adjacency = adjacency * edge_mask.unsqueeze(1)
        if self.norm_by == "joint":
            flat = self.input_norm(flat)
        hidden = flat.view(count, nodes, channels, frames).transpose(1, 2)
        if self.norm_by == "axis":
            hidden = self.input_norm(hidden)
        if token_mask is not None:
            hidden = hidden * token_mask.transpose(1, 2).unsqueeze(1)
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            hidden = self._through(block, hidden, adjacency)
            yield hidden

    def _through(self, block: nn.Module, hidden: Tensor, adjacency: Tensor) -> Tensor:
        if not (self.recompute and torch.is_grad_enabled()):
            return cast(Tensor, block(hidden, adjacency))
        again = partial(_second_pass, block)
        return cast(
            Tensor, checkpoint(block, hidden, adjacency, use_reentrant=False, context_fn=again)
        )


def _second_pass(
    block: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of a block's two passes: statistics are taken in the first one only."""
    return nullcontext(), _statistics_left_alone(block)


@contextmanager
def _statistics_left_alone(block: nn.Module) -> Iterator[None]:
    norms = [part for part in block.modules() if isinstance(part, _BatchNorm)]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # nothing of the new ones is mixed in
        norm.num_batches_tracked = cast(Tensor, norm.num_batches_tracked).clone()
    try:
        yield
    finally:  # the pass ends with an exception as soon as all is there that is needed
        for norm, momentum, tracked in before:
            norm.momentum, norm.num_batches_tracked = momentum, tracked


class Block(nn.Module):
    """Graph convolution, temporal convolution, and a path around both."""

    def __init__(
        self, inputs: int, outputs: int, nodes: int, *, stride: int, dropout: float, residual: bool
    ) -> None:
        super().__init__()
        self.spatial = GraphConvolution(inputs, outputs)
        self.edge_weight = nn.Parameter(torch.ones(SUBSETS, nodes, nodes))
        self.spatial_norm = nn.BatchNorm2d(outputs)
        self.temporal = TemporalConvolution(outputs, stride)
        self.temporal_norm = nn.BatchNorm2d(outputs)
        self.dropout = Dropout(dropout)
        self.around: nn.Module | None = None
        if residual and inputs == outputs and stride == 1:
            self.around = nn.Identity()
        elif residual:
            self.around = nn.Sequential(
                ThinnedConvolution(inputs, outputs, 1, stride=(1, stride)),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, V, T) and an adjacency (3, V, V) or (N, 3, V, V) to (N, C', V, T')."""
        hidden = self.spatial(x, adjacency * self.edge_weight)
        hidden = functional.relu(self.spatial_norm(hidden), inplace=True)
        hidden = self.dropout(self.temporal_norm(self.temporal(hidden)))
        if self.around is not None:
            hidden += self.around(x)
        return functional.relu(hidden, inplace=True)


class ThinnedConvolution(nn.Conv2d):
    """A 1×1 convolution of every other frame.

    Of at most eight channels, frames are left out before it: on some processors the backward pass
    of a strided one writes past its memory (oneDNN, issue 6035).
    """

    FEW = 8

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, T) to (N, C', V, T')."""
        if self.in_channels > self.FEW:
            return super().forward(x)
        return functional.conv2d(x[..., :: self.stride[1]], self.weight, self.bias)


class GraphConvolution(nn.Module):
    """Mixes nodes along the graph and channels, one set of weights a subset of the edges."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(SUBSETS, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(SUBSETS, outputs))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, V, T) to (N, C', V, T).

        Nodes are mixed before channels: there are never more input than output channels here.
        """
        count, channels, nodes, frames = x.shape
        nodes_first = x.permute(0, 2, 3, 1).reshape(count, nodes, frames * channels)
        if adjacency.dim() == 3:
            adjacency = adjacency.unsqueeze(0)
        flow = adjacency.expand(count, -1, -1, -1).transpose(2, 3)
        # In place: each further pass over memory costs as much as the multiplication.
        first, *others = (
            torch.bmm(flow[:, subset], nodes_first).view(-1, channels) for subset in range(SUBSETS)
        )
        mixed = first @ self.weight[0].T
        for gathered, weight in zip(others, self.weight[1:], strict=True):
            mixed.addmm_(gathered, weight.T.to(gathered.dtype))  # autocast skips what is in place
        mixed = mixed.view(count, nodes, frames, -1)
        mixed += torch.einsum("nkvw,ko->nwo", adjacency, self.bias).unsqueeze(2)
        return mixed.permute(0, 3, 1, 2)


def initialise(module: nn.Module, init: Literal["fan_out", "published"]) -> None:
    """Set convolution and normalisation weights where training starts."""
    for part in module.modules():
        if isinstance(part, GraphConvolution | nn.Conv2d):
            if init == "published":
                nn.init.normal_(part.weight, 0.0, 0.02)
            elif isinstance(part, GraphConvolution):
                fan_out = part.weight.shape[0] * part.weight.shape[1]
                nn.init.normal_(part.weight, 0.0, (2.0 / fan_out) ** 0.5)
            else:
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            if init == "published":
                nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
