"""The contract of an encoder: bodies in, maps of features out. What all encoders share is here.

An encoder of one's own is one class in one file:

    @dataclass(frozen=True)
    class Settings:
        width: int = 64

    class MyEncoder(Encoder):
        Settings = Settings

        def __init__(self, graph, settings, channels=3):
            super().__init__(graph, settings, dim=settings.width)
            ...

        def forward_features(self, x, edge_mask=None, token_mask=None):
            ...  # (B, C, T, V) to (B, D, V', T'); D is dim, as long as the mean is pooled

It is trained by `--encoder my_file:MyEncoder`, and read by every probe, engine and export.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from crosscale.skeleton.layout import Graph

Absent = Literal["present", "all"]
Pooling = Literal["mean", "statistics", "nodes"]
LEAST_VARIANCE = 1e-4  # under the root, whose slope at zero is infinite


class Layer(NamedTuple):
    """A layer that a probe may read.

    Attributes:
        name: for people.
        dim: D, features of each node and frame.
        nodes: V', nodes or parts that are left there.
    """

    name: str
    dim: int
    nodes: int

    def pooled_dim(self, pooling: Pooling) -> int:
        """How many numbers `pooled` makes of a body's map."""
        return self.dim * {"mean": 1, "statistics": 3, "nodes": self.nodes}[pooling]


class BodyMaps(NamedTuple):
    """Maps of the bodies that are there.

    Attributes:
        maps: (B, D, V', T').
        clip: (B,) the clip of each.
        clips: N, the number of clips.
    """

    maps: Tensor
    clip: Tensor
    clips: int


class Reading(Protocol):
    """What engines and exports run: an encoder, or a faster network that computes the same."""

    def forward_intermediates(self, x: Tensor) -> list[Tensor]:
        """Bodies (B, C, T, V) to the maps (B, D, V', T') of each layer, the last one last."""


class Encoder(nn.Module):
    """Clips in, one vector a clip out.

    Attributes:
        Settings: the frozen dataclass of the encoder's own settings.
        graph: of the nodes that it sees.
        settings: with which it was made.
        dim: length of the feature vector.
        pooling: how maps become features, see `pooled`.
        bodies: `present` computes only bodies that are there; `all` computes empty ones too and
            averages over them, as the published code does.
        recompute: keep less for the backward pass and compute it once more; an encoder that does
            not know how may leave it.
        recorder: takes the place of `forward_features` in training, see `encoders.cuda_graph`.
        static: whether the kernels depend on shapes alone, so that they can be recorded.
        bodies_a_thread: that engines compute at once: so few that what passes between two layers
            stays in the cache, so many that weights are read seldom.
    """

    Settings: ClassVar[type[Any]]
    static: ClassVar[bool] = False
    bodies_a_thread: ClassVar[int] = 8
    pooling: Pooling = "mean"
    bodies: Absent = "present"
    recompute: bool = False
    recorder: Callable[..., Tensor] | None = None

    def __init__(self, graph: Graph, settings: Any, dim: int) -> None:
        super().__init__()
        self.graph = graph
        self.settings = settings
        self.dim = dim

    def forward_features(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Tensor:
        """Bodies to their maps.

        Args:
            x: bodies (B, C, T, V).
            edge_mask: 0 where an edge is cut, else 1: (B, V, V), or (1, V, V) for all alike. An
                encoder without edges leaves it.
            token_mask: 0 where a node is hidden in a frame, else 1: (B, T, V).

        Returns:
            (B, D, V', T'), of which pooling makes dim features.
        """
        for maps in self.each_map(x, edge_mask, token_mask):
            last = maps
        return last

    def each_map(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Iterator[Tensor]:
        """As `forward_features`, whose place it takes in an encoder of several layers.

        Yields:
            The maps of each layer of `layers`, the last one last.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward_features")

    def forward_intermediates(self, x: Tensor) -> list[Tensor]:
        """Bodies (B, C, T, V) to the maps of each layer of `layers`, the last one last."""
        return list(self.each_map(x)) if len(self.layers) > 1 else [self.forward_features(x)]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What `forward_intermediates` gives, in its order."""
        return (Layer("last", self.dim, len(self.graph.names)),)

    def fused(self) -> nn.Module:
        """What engines and exports run: see `Reading`. By default a copy of the encoder itself."""
        return copy.deepcopy(self).eval().requires_grad_(False)

    def forward(
        self, x: Tensor, body_mask: Tensor | None = None, edge_mask: Tensor | None = None
    ) -> Tensor:
        """Encode a batch.

        Args:
            x: clips (N, C, T, V, M).
            body_mask: which bodies are there, (N, M); all of them where it is not given. Best on
                a processor: a GPU would have to be asked for their number, which waits for all it
                has been given to do.
            edge_mask: 0 where an edge is cut, else 1: (N, V, V), or (1, V, V) for one cut for all.

        Returns:
            (N, dim): pooled over time and nodes, and the mean over the bodies.
        """
        recorded = self.recorder if self.training else None
        return self.pool(self._maps(recorded or self.forward_features, x, body_mask, edge_mask))

    def body_maps(
        self,
        x: Tensor,
        body_mask: Tensor | None = None,
        edge_mask: Tensor | None = None,
        token_mask: Tensor | None = None,
    ) -> BodyMaps:
        """As `forward`, before anything is pooled.

        Args:
            x: see `forward`.
            body_mask: see `forward`.
            edge_mask: see `forward`.
            token_mask: 0 where a node is hidden in a frame, else 1, of all bodies of a clip alike:
                (N, T, V).
        """
        return self._maps(self.forward_features, x, body_mask, edge_mask, token_mask)

    def pool(self, found: BodyMaps) -> Tensor:
        """Features of each body, and the mean over each clip's bodies: (N, dim)."""
        features = pooled(found.maps, self.pooling, next(self.parameters()).dtype)
        return mean_over_bodies(features, found.clip, found.clips)

    def _maps(
        self,
        compute: Callable[..., Tensor],
        x: Tensor,
        body_mask: Tensor | None,
        edge_mask: Tensor | None,
        token_mask: Tensor | None = None,
    ) -> BodyMaps:
        bodies, clip = self.present_bodies(x, body_mask)
        seen = {} if token_mask is None else {"token_mask": token_mask[clip]}
        if edge_mask is None:
            return BodyMaps(compute(bodies, **seen), clip, len(x))
        cut = edge_mask if len(edge_mask) == 1 else edge_mask[clip]
        return BodyMaps(compute(bodies, cut, **seen), clip, len(x))

    def present_bodies(self, x: Tensor, body_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The bodies (B, C, T, V) of clips (N, C, T, V, M) to compute, and each one's clip (B,)."""
        count, bodies = len(x), x.shape[4]
        flat = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
        if body_mask is None or self.bodies == "all":
            rows = torch.arange(count * bodies, device=x.device)
        else:
            rows = body_mask.reshape(-1).nonzero().squeeze(1).to(x.device, non_blocking=True)
            flat = flat.index_select(0, rows)
        return flat, rows // bodies


def pooled(maps: Tensor, pooling: Pooling, dtype: torch.dtype | None = None) -> Tensor:
    """Maps (B, D, V', T') to features of each body.

    Args:
        maps: of one layer.
        pooling: the `mean` over time and nodes (B, D); `statistics`, which are the mean, the
            largest and the standard deviation (B, 3 D); or the mean over time at each of the
            `nodes`, one after the other (B, V' D).
        dtype: in which it is computed, by default that of the maps.
    """
    if pooling == "nodes":
        return maps.mean(dim=3, dtype=dtype).transpose(1, 2).flatten(1)
    mean = maps.mean(dim=(2, 3), dtype=dtype)
    if pooling == "mean":
        return mean
    maps = maps.to(mean.dtype)
    deviation = (maps.var(dim=(2, 3), correction=0) + LEAST_VARIANCE).sqrt()
    return torch.cat([mean, maps.amax(dim=(2, 3)), deviation], dim=1)


def affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a normalisation multiplies by and then adds, in evaluation mode."""
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight / (variance + norm.eps).sqrt()
    return scale, norm.bias - mean * scale


def mean_over_bodies(features: Tensor, clip: Tensor, clips: int) -> Tensor:
    """Features (B, D) of bodies to the mean of each clip's (N, D); zero for a clip without any."""
    total = features.new_zeros(clips, features.shape[1]).index_add_(0, clip, features)
    # torch.bincount would make a GPU's host wait
    number = features.new_zeros(clips).index_add_(0, clip, features.new_ones(len(clip)))
    return total / number.clamp(min=1).unsqueeze(1)
