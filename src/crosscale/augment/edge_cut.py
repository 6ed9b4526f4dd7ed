"""A view of the graph: edges cut at random.

Source: the paper's random edge cutting, with 0 to ξ edges of the key view's graph (ξ = 2).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crosscale.augment.random import Constant, Random
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


class EdgeCut(Random):
    """Draws which entries of a graph's adjacency are kept."""

    def __init__(self, cut: Cut, graph: Graph) -> None:
        super().__init__()
        self.cut = cut
        self.limit = cut.limit(graph)
        self.nodes = len(graph.names)
        self.count = len(graph.edges)
        self.edges = Constant(torch.tensor(graph.edges))

    def __call__(self, n: int, device: torch.device) -> Tensor | None:
        """Draw for n samples.

        Returns:
            (N, V, V) of 0 and 1 to multiply onto the adjacency, one row for all samples when
            drawn per batch or run; None when nothing is ever cut. Self links are always kept.
        """
        if not self.limit:
            return None
        if self.cut.draw == "run":
            self.seed(self._seed)  # every draw is the first one
        rows = n if self.cut.draw == "sample" else 1
        mask = torch.ones(rows, self.nodes, self.nodes, device=device)
        kept = (~self._drawn_edges(mask)).float()
        child, parent = self.edges.on(device).unbind(1)
        mask[:, child, parent] = kept
        if self.cut.direction == "both":
            mask[:, parent, child] = kept
        return mask

    def _drawn_edges(self, mask: Tensor) -> Tensor:
        """(rows, E) bool: 0..limit distinct candidates, of which self links are skipped."""
        candidates = self.count + (self.nodes if self.cut.self_links else 0)
        count = self.integers(0, self.limit, (len(mask), 1), mask.device)
        order = self.uniform(0, 1, (len(mask), candidates), mask).argsort(dim=1)
        rank = order.argsort(dim=1)
        return (rank < count)[:, : self.count]
