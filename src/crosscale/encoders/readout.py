"""What is read of an encoder: which of its layers, and how each is pooled to numbers of a body."""

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from crosscale.encoders.base import Encoder, Pooling, pooled
from crosscale.errors import CrosscaleError

Layers = int | Literal["all"]


class Readout(nn.Module):
    """Bodies to their features, in evaluation mode: what engines run, whatever the encoder.

    Attributes:
        parts: lengths of what each layer that is read gives, one after the other in the vector.
        dim: length of the vector.
        bodies_a_thread: see `Encoder`.
    """

    def __init__(
        self,
        encoder: Encoder,
        pooling: Pooling | None = None,
        layers: Layers = 1,
        output: "OutputLayer | None" = None,
        network: nn.Module | None = None,
    ) -> None:
        """Read an encoder.

        Args:
            encoder: as it was trained.
            pooling: of each layer, see `pooled`; by default as it was trained.
            layers: how many of the last layers, or `all`.
            output: comes after it, where there is one; the vector is then one part.
            network: what computes the maps; by default the encoder fused, never to be trained.

        Raises:
            CrosscaleError: when the output layer is one over another number of features.
        """
        super().__init__()
        known = encoder.layers
        self.count = len(known) if layers == "all" else min(layers, len(known))
        self.pooling = pooling or encoder.pooling
        self.parts = tuple(layer.pooled_dim(self.pooling) for layer in known[-self.count :])
        if output is not None:
            read, taken = sum(self.parts), len(output.mean)
            if read != taken:
                raise CrosscaleError(f"the output layer takes {taken} features, {read} are read")
            self.parts = (output.dim,)
        self.dim = sum(self.parts)
        self.bodies_a_thread = encoder.bodies_a_thread
        self.output = output
        self.network: Any = encoder.fused() if network is None else network

    def forward(self, bodies: Tensor) -> Tensor:
        """(B, C, T, V) to (B, dim)."""
        maps = self.network.forward_intermediates(bodies)[-self.count :]
        features = torch.cat([pooled(layer, self.pooling) for layer in maps], dim=1)
        return features if self.output is None else self.output(features)

    def for_frames(self, frames: int) -> "Readout":
        """A copy for bodies of this many frames only, faster where the network knows how."""
        other = copy.copy(self)
        other._modules = dict(self._modules)
        if hasattr(self.network, "for_frames"):
            other.network = self.network.for_frames(frames)
        return other


class OutputLayer(nn.Module):
    """A fixed linear layer over what is read of an encoder, fitted after training."""

    mean: Tensor
    axes: Tensor

    def __init__(self, mean: Tensor, axes: Tensor) -> None:
        """Keep what it does.

        Args:
            mean: (D,) subtracted from the features.
            axes: (D, K) onto which they are projected, scales included; rounded to half precision,
                in which files keep them.

        Raises:
            CrosscaleError: when the two do not fit each other.
        """
        super().__init__()
        if mean.dim() != 1 or axes.dim() != 2 or len(mean) != len(axes):
            raise CrosscaleError(
                f"an output layer needs a mean (D,) and axes (D, K), not {tuple(mean.shape)} and "
                f"{tuple(axes.shape)}"
            )
        self.register_buffer("mean", mean.float())
        self.register_buffer("axes", axes.half().float())

    @property
    def dim(self) -> int:
        """K, the length of what it gives."""
        return self.axes.shape[1]

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to (B, K)."""
        return (features - self.mean) @ self.axes
