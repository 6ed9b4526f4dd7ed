"""Which clips may stand in for each other: those that count each other among their nearest."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.neighbors import kneighbors_graph

from crosscale.data.conversion import CoordinateSource
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.model import CHUNK, Model


class Neighbours:
    """Of each clip those of its nearest that have it among their own.

    What is near from one side alone is often a clip that is near to all. Source: Dwibedi et al.,
    "With a little help from my friends" (ICCV 2021), where neighbours are positives too.

    Attributes:
        mutual: (N, N), 1 where two clips are neighbours.
    """

    def __init__(self, vectors: NDArray[np.float32], count: int) -> None:
        """Find them.

        Args:
            vectors: (N, D), compared by their angles.
            count: how many nearest of each clip are looked at.
        """
        count = min(count, len(vectors) - 1)
        nearest = sparse.csr_array((len(vectors), len(vectors)))
        if count:
            nearest = sparse.csr_array(kneighbors_graph(vectors, count, metric="cosine"))
        self.mutual = sparse.csr_array(nearest.multiply(nearest.T))

    def instead(self, clips: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        """A neighbour of each clip (K,), drawn anew with each seed; itself if it has none."""
        first, number = self.mutual.indptr[clips], np.diff(self.mutual.indptr)[clips]
        drawn = np.random.default_rng(seed).integers(0, np.maximum(number, 1))
        instead, some = clips.copy(), number > 0
        instead[some] = self.mutual.indices[(first + drawn)[some]]
        return instead


def embedded(
    trained: TrainedEncoders, source: CoordinateSource, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Embeddings (N, D) of the clips at `rows` (N,)."""
    model = Model(trained)
    parts = np.split(rows, range(CHUNK, len(rows), CHUNK))
    return np.concatenate([model.embed_present(source, part.tolist())[0] for part in parts])
