"""What is read of an encoder: which of its layers, and how each is pooled to numbers of a body."""

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from crosscale.encoders.base import Encoder

Pooling = Literal["mean", "nodes"]
Layers = int | Literal["all"]
# What 0.1 called `readout`.
ReadoutName = Literal["mean", "nodes", "blocks", "all"]
READOUTS: dict[ReadoutName, tuple[Pooling, Layers]] = {
    "mean": ("mean", 1),
    "nodes": ("nodes", 1),
    "blocks": ("nodes", 3),
    "all": ("nodes", "all"),
}


class Readout(nn.Module):
    """Bodies to their features, in evaluation mode: what engines run, whatever the encoder.

    Attributes:
        parts: lengths of what each layer that is read gives, one after the other in the vector.
        dim: length of the vector.
    """

    def __init__(self, encoder: Encoder, pooling: Pooling = "mean", layers: Layers = 1) -> None:
        """Read an encoder.

        Args:
            encoder: as it was trained.
            pooling: the `mean` over time and nodes, which is what was trained; or the mean over
                time at each of the `nodes`, one after the other.
            layers: how many of the last layers, or `all`.
        """
        super().__init__()
        known = encoder.layers
        self.count = len(known) if layers == "all" else min(layers, len(known))
        self.pooling = pooling
        self.parts = tuple(
            layer.dim * (layer.nodes if pooling == "nodes" else 1) for layer in known[-self.count :]
        )
        self.dim = sum(self.parts)
        self.network: Any = encoder.fused()

    def forward(self, bodies: Tensor) -> Tensor:
        """(B, C, T, V) to (B, dim)."""
        maps = self.network.forward_intermediates(bodies)[-self.count :]
        if self.pooling == "mean":
            read = [layer.mean(dim=(2, 3)) for layer in maps]
        else:
            read = [layer.mean(dim=3).transpose(1, 2).flatten(1) for layer in maps]
        return torch.cat(read, dim=1)

    def for_frames(self, frames: int) -> "Readout":
        """A copy for bodies of this many frames only, faster where the network knows how."""
        other = copy.copy(self)
        other._modules = dict(self._modules)
        if hasattr(self.network, "for_frames"):
            other.network = self.network.for_frames(frames)
        return other
