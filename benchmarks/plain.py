"""The encoder as its equations are usually written down, to measure against and to check with.

Each graph convolution makes three times the channels with a 1×1 convolution and then sums over
neighbours; every body is computed, whether it is there or not; tensors are (N, C, T, V).
The weights have the published names, so `from_published` turns them into this package's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.stgcn import SUBSETS, EncoderSettings, block_shapes
from crosscale.encoders.temporal import TEMPORAL_KERNEL


class PlainSTGCN(nn.Module):
    """ST-GCN (Yan et al., AAAI 2018) without any of this package's shortcuts."""

    A: Tensor

    def __init__(self, adjacency: Tensor, settings: EncoderSettings, channels: int = 3) -> None:
        super().__init__()
        nodes = adjacency.shape[-1]
        self.register_buffer("A", adjacency.clone())
        self.data_bn = nn.BatchNorm1d(channels * nodes)
        shapes = block_shapes(settings, channels)
        self.st_gcn_networks = nn.ModuleList(
            _PlainBlock(inputs, outputs, stride, settings.dropout if i else 0.0, residual=i > 0)
            for i, (inputs, outputs, stride) in enumerate(shapes)
        )
        self.edge_importance = nn.ParameterList(
            nn.Parameter(torch.ones(SUBSETS, nodes, nodes)) for _ in shapes
        )

    def forward(
        self, x: Tensor, body_mask: Tensor | None = None, edge_mask: Tensor | None = None
    ) -> Tensor:
        """Clips (N, C, T, V, M) to (N, width), as `STGCN.forward` with `bodies: all`."""
        count, channels, frames, nodes, bodies = x.shape
        flat = x.permute(0, 4, 3, 1, 2).reshape(count * bodies, nodes * channels, frames)
        hidden = self.data_bn(flat).view(-1, nodes, channels, frames).permute(0, 2, 3, 1)
        adjacency = self.A
        if edge_mask is not None:
            each = edge_mask.expand(count, -1, -1).repeat_interleave(bodies, dim=0)
            adjacency = adjacency * each.unsqueeze(1)
        for block, weight in zip(self.st_gcn_networks, self.edge_importance, strict=True):
            hidden = block(hidden, adjacency * weight)
        return hidden.mean(dim=(2, 3)).view(count, bodies, -1).mean(dim=1)


class _PlainBlock(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, stride: int, dropout: float, *, residual: bool
    ) -> None:
        super().__init__()
        self.gcn = nn.ModuleDict({"conv": nn.Conv2d(inputs, SUBSETS * outputs, 1)})
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(
                outputs,
                outputs,
                (TEMPORAL_KERNEL, 1),
                stride=(stride, 1),
                padding=(TEMPORAL_KERNEL // 2, 0),
            ),
            nn.BatchNorm2d(outputs),
            nn.Dropout(dropout),
        )
        self.residual: nn.Module | None = None
        if residual and (inputs != outputs or stride != 1):
            self.residual = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=(stride, 1)), nn.BatchNorm2d(outputs)
            )
        self.skips = residual

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(N, C, T, V) and an adjacency (3, V, V) or (N, 3, V, V) to (N, C', T', V)."""
        wide = self.gcn["conv"](x).unflatten(1, (SUBSETS, -1))
        terms = "nkctv,kvw->nctw" if adjacency.dim() == 3 else "nkctv,nkvw->nctw"
        hidden = self.tcn(torch.einsum(terms, wide, adjacency))
        if self.skips:
            hidden = hidden + (x if self.residual is None else self.residual(x))
        return functional.relu(hidden)
