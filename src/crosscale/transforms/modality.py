"""Streams: what of a clip an encoder sees, and at which scale."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from crosscale.errors import CrosscaleError, nearest
from crosscale.skeleton.layout import JOINT_SCALE, Graph, Layout

Modality = Literal["joint", "bone", "motion", "bone_motion"]


@dataclass(frozen=True)
class Stream:
    """A modality at a scale, written `joint`, `motion@part10`, …

    Attributes:
        modality: coordinates, bones (node minus its parent), motion (next frame minus frame), or
            the motion of bones.
        scale: name of one of the layout's graphs.
    """

    modality: Modality
    scale: str = JOINT_SCALE

    def __post_init__(self) -> None:
        if self.modality not in get_args(Modality):
            raise CrosscaleError(
                f"no modality '{self.modality}': {nearest(self.modality, get_args(Modality))}"
            )
        if not self.scale or "@" in self.scale:
            raise CrosscaleError(
                f"no scale '{self.scale}': write a stream as joint or motion@part10"
            )

    @classmethod
    def parse(cls, text: str) -> "Stream":
        """Read `modality` or `modality@scale`.

        Raises:
            CrosscaleError: naming the nearest right modality.
        """
        modality, at, scale = text.strip().partition("@")
        return cls(cast(Modality, modality), scale if at else JOINT_SCALE)

    def __str__(self) -> str:
        return self.modality if self.scale == JOINT_SCALE else f"{self.modality}@{self.scale}"

    def graph(self, layout: Layout) -> Graph:
        """The graph of this stream's scale.

        Raises:
            CrosscaleError: naming the nearest of the layout's scales.
        """
        if self.scale not in layout.scales:
            raise CrosscaleError(
                f"layout {layout.name} has no scale '{self.scale}': "
                f"{nearest(self.scale, layout.scales)}"
            )
        return layout.scale(self.scale)


class StreamTransform(nn.Module):
    """Make a stream from joint coordinates: (N, C, T, J, M) to (N, C, T, V, M).

    Pools joints to the scale's nodes first, so bones are those of the scale's own tree.
    """

    pooling: Tensor
    parents: Tensor

    def __init__(self, stream: Stream, layout: Layout) -> None:
        super().__init__()
        graph = stream.graph(layout)
        self.stream = stream
        # Not part of a checkpoint: both follow from the layout, which travels with it.
        self.register_buffer("pooling", torch.from_numpy(graph.pooling).float(), persistent=False)
        self.register_buffer("parents", torch.tensor(graph.parents), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pool, then take bones, motion or both; the batch may be on another device."""
        if self.stream.scale != JOINT_SCALE:
            x = torch.einsum("vj,nctjm->nctvm", self.pooling.to(x), x)
        if self.stream.modality in ("bone", "bone_motion"):
            x = x - x.index_select(3, self.parents.to(x.device))
        if self.stream.modality in ("motion", "bone_motion"):
            x = motion(x)
        return x


def motion(x: Tensor) -> Tensor:
    """Next frame minus frame of (N, C, T, V, M), the last frame zero."""
    return torch.diff(x, dim=2, append=x[:, :, -1:])
