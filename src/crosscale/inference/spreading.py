"""Of what class unlabelled clips may be: labels spread from clip to clip by way of the nearest.

Source: Zhou et al., "Learning with local and global consistency" (NIPS 2003).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.neighbors import kneighbors_graph

NEIGHBOURS = 10  # of each clip
NARROW = 0.1  # cosine distance over which a neighbour's weight falls to 1/e
KEPT = 0.9  # share that is passed on at each step
STEPS = 50  # what is still on its way then is below a hundredth
MOST = 1000  # unlabelled clips that are looked at: the cost grows with their square


def others(count: int, labelled: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Of clips of this number the rows that are not labelled; of more than `MOST` a sample."""
    rows = np.arange(count) if labelled is None else np.delete(np.arange(count), labelled)
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))


class Guessed(NamedTuple):
    """Unlabelled clips, and what they count for.

    Attributes:
        x: (U, D) embeddings.
        codes: (U,) the most probable class of each.
        weights: (U,) how sure that is; all of them together weigh as much as one labelled clip of
            each class.
    """

    x: NDArray[Any]
    codes: NDArray[np.int64]
    weights: NDArray[np.float64]


class Surroundings:
    """Labelled and unlabelled clips, and how near they are to each other."""

    def __init__(self, labelled: NDArray[Any], unlabelled: NDArray[Any]) -> None:
        """Find each clip's neighbours.

        Args:
            labelled: (N, D) embeddings, the first rows.
            unlabelled: (U, D), U of 1 or more; of more than `MOST` a random sample.
        """
        self.x = np.concatenate([labelled, unlabelled[others(len(unlabelled))]])
        centred, near = self.x - self.x.mean(axis=0), min(NEIGHBOURS, len(self.x) - 1)
        graph = kneighbors_graph(centred, near, mode="distance", metric="cosine")
        graph.data = np.exp(-graph.data / NARROW)
        graph = graph + graph.T
        scale = sparse.diags_array(np.asarray(graph.sum(axis=1)).ravel() ** -0.5)
        self._passed_on = KEPT * (scale @ graph @ scale)

    def guessed(self, rows: NDArray[np.int64], codes: NDArray[np.int64]) -> Guessed:
        """All clips but the labelled ones of these rows, whose classes are given, in 0..K-1."""
        given = np.zeros((len(self.x), int(codes.max()) + 1))
        given[rows, codes] = 1
        found = given
        for _ in range(STEPS):
            found = self._passed_on @ found + given
        found = np.delete(found, rows, axis=0)
        total = found.sum(axis=1)
        sure = np.divide(found.max(axis=1), total, out=np.zeros(len(found)), where=total > 0)
        weights = sure * given.shape[1] / max(sure.sum(), 1e-9)
        return Guessed(np.delete(self.x, rows, axis=0), found.argmax(axis=1), weights)
