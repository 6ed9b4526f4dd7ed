"""What may happen to a view, as settings; apart from what does it, which needs PyTorch."""

from dataclasses import dataclass, field
from typing import Literal

from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Graph


@dataclass(frozen=True)
class Cut:
    """How edges are cut.

    Attributes:
        most: edges cut at most, ξ; the number drawn is uniform in 0..most.
        ratio: ξ as a share of the graph's edges, in place of `most`.
        draw: afresh for every `sample` or `batch`, or once per `run` as in the published code.
        direction: cut an edge in `both` directions, or only `one`, from node to parent.
        views: which of the two views is cut.
        self_links: draw among self links as well and skip them, as in the published code, where
            half the draws cut nothing.
    """

    most: int = 0
    ratio: float | None = None
    draw: Literal["sample", "batch", "run"] = "sample"
    direction: Literal["both", "one"] = "both"
    views: Literal["key", "query", "both"] = "key"
    self_links: bool = False

    def __post_init__(self) -> None:
        if self.most < 0:
            raise CrosscaleError(f"cut.most must not be negative, and is {self.most}")
        if self.ratio is not None and not 0 <= self.ratio <= 1:
            raise CrosscaleError(f"cut.ratio must be from 0 to 1, not {self.ratio}")
        if self.most and self.ratio is not None:
            raise CrosscaleError("cut.most and cut.ratio exclude each other: give one")

    def limit(self, graph: Graph) -> int:
        """ξ for a graph.

        Raises:
            CrosscaleError: when the graph has fewer edges.
        """
        edges = len(graph.edges)
        if self.ratio is not None:
            return round(self.ratio * edges)
        if self.most > edges:
            raise CrosscaleError(
                f"cut.most is {self.most}: give at most {edges}, the edges of a graph of "
                f"{len(graph.names)} nodes"
            )
        return self.most


@dataclass(frozen=True)
class AugmentSettings:
    """What may happen to a view; zero or none leaves a change out.

    Attributes:
        shear: largest off-diagonal entry of the shear matrix.
        crop: share of the frames mirrored at both ends before cropping.
        rotate: largest turn about the vertical axis, degrees.
        resize: smallest and largest share of the frames that is stretched to all of them.
        scale: largest change of size, as a ratio.
        bones: largest change of each bone's length, as a ratio.
        jitter: standard deviation of noise, metres.
        posture: standard deviation of a shift of each joint for the whole clip, metres.
        mask: probability of a joint to be hidden.
        mirror: probability of a clip to have left and right exchanged.
        tilt: largest turn about any one axis, degrees.
        reverse: probability of a clip to be played backwards.
        blur: largest width of a Gaussian over time, frames.
        axis: probability of one coordinate axis to be hidden.
        cut: which edges of the graph are cut.
        further: augmentations of others, applied last, each with its strength:
            `my_file:Drift=0.1`, or the name of an installed one.
    """

    shear: float = 0.5
    crop: float = 1 / 6
    rotate: float = 0.0
    resize: tuple[float, float] | None = None
    scale: float = 0.0
    bones: float = 0.0
    jitter: float = 0.0
    posture: float = 0.0
    mask: float = 0.0
    mirror: float = 0.0
    tilt: float = 0.0
    reverse: float = 0.0
    blur: float = 0.0
    axis: float = 0.0
    cut: Cut = field(default_factory=Cut)
    further: list[str] = field(default_factory=list)
