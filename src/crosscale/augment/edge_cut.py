"""A view of the graph: edges cut at random.

Source: the paper's random edge cutting, with 0 to ξ edges of the key view's graph (ξ = 2).
"""

import torch
from torch import Tensor

from crosscale.augment.random import Constant, Random
from crosscale.augment.settings import Cut
from crosscale.skeleton.layout import Graph


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
