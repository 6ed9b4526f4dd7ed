"""A transformer over tokens: each is one node (a joint or a part of the body) for some frames.

Source: Vaswani et al., "Attention is all you need" (NeurIPS 2017), normalised before each layer;
tokens of a node and a stretch of time as in SkeletonMAE (Wu et al., ICMEW 2023).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import Encoder, Layer
from crosscale.encoders.tcn import with_velocity
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Graph


@dataclass(frozen=True)
class TransformerSettings:
    """How large the encoder is.

    Attributes:
        width: length of a token's vector; the mean, the largest and the deviation over all tokens
            are the feature vector.
        depth: blocks of attention and a layer for each token.
        heads: of attention; they share the width evenly.
        segment: frames of a token.
        dropout: share of values dropped at the end of each layer.
    """

    width: int = 96
    depth: int = 3
    heads: int = 4
    segment: int = 6
    dropout: float = 0.0


class Transformer(Encoder):
    """Attention over tokens of a node and some frames: their coordinates and velocities."""

    Settings = TransformerSettings
    static = True
    pooling = "statistics"

    def __init__(self, graph: Graph, settings: TransformerSettings, channels: int = 3) -> None:
        super().__init__(graph, settings, dim=3 * settings.width)
        numbers = (settings.width, settings.depth, settings.heads, settings.segment)
        if min(numbers) < 1 or settings.width % (2 * settings.heads):
            raise CrosscaleError(
                "encoder.width, depth, heads and segment must be 1 or more, and width a multiple "
                f"of twice the heads, not {', '.join(map(str, numbers))}"
            )
        width = settings.width
        self.embed = nn.Linear(2 * channels * settings.segment, width)
        self.node = nn.Parameter(0.02 * torch.randn(len(graph.names), width))
        self.blocks = nn.ModuleList(
            Block(width, settings.heads, settings.dropout) for _ in range(settings.depth)
        )
        self.norm = nn.LayerNorm(width)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every block."""
        numbers = range(1, self.settings.depth + 1)
        return tuple(
            Layer(f"block {i}", self.settings.width, len(self.graph.names)) for i in numbers
        )

    def each_map(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Bodies (B, C, T, V) to (B, width, V, T / segment); there are no edges to be cut."""
        if token_mask is not None:
            x = x * token_mask.unsqueeze(1)
        hidden = self._tokens(x)
        shape = hidden.shape
        hidden = hidden.flatten(1, 2)  # (B, V S, D)
        for block in self.blocks:
            hidden = block(hidden)
            yield self.norm(hidden).view(shape).permute(0, 3, 1, 2)

    def _tokens(self, x: Tensor) -> Tensor:
        """Bodies (B, C, T, V) to vectors (B, V, S, D) that know their node and their time."""
        frames, segment = x.shape[2], self.settings.segment
        seen = functional.pad(with_velocity(x), (0, 0, 0, -frames % segment))
        tokens = seen.permute(0, 3, 2, 1).unflatten(2, (-1, segment)).flatten(3)
        time = _waves(tokens.shape[2], self.settings.width).to(tokens)
        embedded: Tensor = self.embed(tokens)
        return embedded + self.node[:, None] + time


class Block(nn.Module):
    """Attention of each token to all, then two layers for each by itself, both beside a path."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)  # queries, keys and values
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.alone = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, tokens, D) to the same shape."""
        by_head = self.asked(self.norm(x)).unflatten(2, (3, self.heads, -1))
        query, key, value = by_head.permute(2, 0, 3, 1, 4)  # each (B, heads, tokens, D / heads)
        found = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.dropout(self.out(found.transpose(1, 2).flatten(2)))
        return x + self.alone(x)


def _waves(steps: int, width: int) -> Tensor:
    """Which of some steps it is, as sines and cosines of ever longer waves: (steps, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(100.0) / width))
    angles = torch.arange(steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
