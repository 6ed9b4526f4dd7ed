"""A trained ST-GCN as few, large operations: what engines run, never trained again.

Normalisation is folded into the weights, the adjacency is multiplied out, and only bodies that
are there go in. Tensors are (B, C, T, V).
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import affine
from crosscale.encoders.stgcn import STGCN, SUBSETS, Block
from crosscale.encoders.temporal import REACH, transforms

SPECTRAL_CHANNELS = 128  # below, transforming costs an engine more than the product saves


class FusedSTGCN(nn.Module):
    """An STGCN in evaluation mode, body by body: equal to it but for rounding."""

    def __init__(self, encoder: STGCN) -> None:
        super().__init__()
        with torch.no_grad():
            scale, shift = affine(cast(nn.BatchNorm1d, encoder.input_norm))
            nodes = encoder.adjacency.shape[-1]
            blocks = [_FusedBlock(cast(Block, b), encoder.adjacency) for b in encoder.blocks]
            if encoder.norm_by == "axis":
                scale, shift = scale.repeat(nodes), shift.repeat(nodes)
            blocks[0].normalise_input(scale.view(nodes, -1).T, shift.view(nodes, -1).T)
        self.blocks = nn.ModuleList(blocks)
        self.eval().requires_grad_(False)

    def forward_intermediates(self, x: Tensor) -> list[Tensor]:
        """Bodies (B, C, T, V) to the maps (B, D, V, T') of every block."""
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x.transpose(2, 3))
        return maps

    def for_frames(self, frames: int) -> "FusedSTGCN":
        """A copy that takes bodies of this many frames only, and is faster on wide blocks."""
        other = copy.deepcopy(self)
        for block in (cast(_FusedBlock, block) for block in other.blocks):
            convolution = cast(nn.Conv2d, block.temporal)
            frames = (frames - 1) // convolution.stride[0] + 1
            if convolution.stride[0] == 1 and convolution.out_channels >= SPECTRAL_CHANNELS:
                block.temporal = _SpectralConvolution(convolution, frames)
        return other


class _FusedBlock(nn.Module):
    """One product that brings nodes together for all subsets, then convolutions."""

    gather: Tensor
    bias: Tensor

    def __init__(self, block: Block, adjacency: Tensor) -> None:
        super().__init__()
        scale, shift = affine(block.spatial_norm)
        edges = adjacency * block.edge_weight
        nodes = edges.shape[-1]
        mixing = block.spatial.weight * scale.unsqueeze(1)
        bias = torch.einsum("kvw,ko->ow", edges, block.spatial.bias) * scale.unsqueeze(1)
        self.register_buffer("gather", edges.permute(1, 0, 2).reshape(nodes, -1).contiguous())
        self.register_buffer("bias", (bias + shift.unsqueeze(1)).unsqueeze(1).contiguous())
        # The subsets lie side by side along the nodes; dilated taps meet the same node of each,
        # which saves putting them on top of each other as channels.
        self.spatial = _convolution(mixing.permute(1, 2, 0).unsqueeze(2), None, dilation=(1, nodes))
        self.temporal: nn.Module = _folded(block.temporal, block.temporal_norm, padding=(REACH, 0))
        self.around: nn.Module | None = block.around
        if isinstance(block.around, nn.Sequential):
            self.around = _folded(*block.around)

    def normalise_input(self, scale: Tensor, shift: Tensor) -> None:
        """Take unnormalised input from now on; scale and shift are (C, V)."""
        nodes = scale.shape[1]
        shifted = (shift @ self.gather).view(-1, SUBSETS, nodes)
        weight = self.spatial.weight.squeeze(2)
        self.bias += torch.einsum("ock,ckv->ov", weight, shifted).unsqueeze(1)
        self.gather = scale.unsqueeze(2) * self.gather

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, V) to (B, C', T', V)."""
        hidden = functional.relu(self.spatial(x @ self.gather) + self.bias)
        hidden = self.temporal(hidden)
        if self.around is not None:
            hidden = hidden + self.around(x)
        return functional.relu(hidden)


class _SpectralConvolution(nn.Module):
    """A convolution over time as one product of channels per frequency."""

    to_points: Tensor
    weight: Tensor
    to_frames: Tensor
    bias: Tensor

    def __init__(self, convolution: nn.Conv2d, frames: int) -> None:
        super().__init__()
        to_points, taps, to_frames = (m.to(convolution.weight) for m in transforms(frames))
        weight = torch.einsum("pj,oij->pio", taps, convolution.weight.squeeze(3))
        self.register_buffer("to_points", to_points)
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("to_frames", to_frames)
        self.register_buffer("bias", cast(Tensor, convolution.bias).detach())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, V) to (B, C', T, V)."""
        count, channels, frames, nodes = x.shape
        points = self.to_points @ x.permute(2, 0, 3, 1).reshape(frames, -1)
        points = points.view(-1, count * nodes, channels) @ self.weight
        hidden = self.to_frames @ points.view(points.shape[0], -1)
        hidden = hidden.view(frames, count, nodes, -1) + self.bias
        return hidden.permute(1, 3, 0, 2)


def _folded(
    convolution: nn.Conv2d, norm: nn.BatchNorm2d, padding: tuple[int, int] = (0, 0)
) -> nn.Conv2d:
    """Both as one convolution, with time before nodes."""
    scale, shift = affine(norm)
    weight = (convolution.weight * scale.view(-1, 1, 1, 1)).transpose(2, 3)
    bias = cast(Tensor, convolution.bias) * scale + shift
    return _convolution(weight, bias, stride=(convolution.stride[1], 1), padding=padding)


def _convolution(
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> nn.Conv2d:
    outputs, inputs, height, length = weight.shape
    convolution = nn.Conv2d(
        inputs, outputs, (height, length), stride, padding, dilation, bias=bias is not None
    )
    convolution.weight = nn.Parameter(weight.contiguous())
    if bias is not None:
        convolution.bias = nn.Parameter(bias)
    return convolution
