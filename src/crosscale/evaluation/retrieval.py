"""Retrieval: every test clip, a query, asks a gallery of training clips for those of its class."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from crosscale.evaluation.probes.knn import KnnProbe

SIMILARITIES_AT_ONCE = 2**24  # their ranking takes about 300 MB


@dataclass(eq=False, repr=False)
class Retrieval(KnnProbe):
    """All training clips ranked for each test clip: how early its class comes.

    They are ranked by cosine similarity, and there is nothing to set. Streams are added before
    ranking, since what is summed is similarity to one and the same clip.
    """

    neighbours: int = field(default=1, init=False)

    title = "Retrieval"


def average_precision(
    gallery_x: NDArray[np.float32],
    gallery_y: NDArray[np.int64],
    query_x: NDArray[np.float32],
    query_y: NDArray[np.int64],
    *,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """How early each query finds the clips of its class.

    A query's average precision is the mean, over the gallery's clips of its class, of the share of
    that class among all clips ranked as high or higher.

    Args:
        gallery_x: (N, D) features.
        gallery_y: (N,) labels.
        query_x: (N_query, D) features.
        query_y: (N_query,) labels.
        device: where the computation runs.

    Returns:
        (N_query,) from 0 to 1; 0 for a query whose class the gallery lacks.
    """
    gallery = functional.normalize(torch.from_numpy(gallery_x).to(device))
    query = functional.normalize(torch.from_numpy(query_x).to(device))
    labels, asked = torch.from_numpy(gallery_y).to(device), torch.from_numpy(query_y).to(device)
    rows = max(1, SIMILARITIES_AT_ONCE // len(gallery))
    parts = zip(query.split(rows), asked.split(rows), strict=True)
    return torch.cat([_precision(x @ gallery.T, labels, y) for x, y in parts]).cpu().numpy()


def side_by_side(vectors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, sum of D): all streams, each vector at length 1 so that streams count alike.

    The cosine of two such rows is the mean of the streams' cosines.
    """
    parts = []
    for array in vectors.values():
        lengths = np.linalg.norm(array, axis=1, keepdims=True)
        parts.append(array / np.maximum(lengths, 1e-12))
    return np.concatenate(parts, axis=1)


def _precision(similarities: Tensor, gallery_y: Tensor, query_y: Tensor) -> Tensor:
    """(B, N) similarities, (N,) and (B,) labels -> (B,) average precisions."""
    order = similarities.argsort(dim=1, descending=True, stable=True)
    right = gallery_y[order] == query_y.unsqueeze(1)  # (B, N)
    ranks = torch.arange(1, len(gallery_y) + 1, device=gallery_y.device)
    shares = right.cumsum(dim=1) / ranks
    return (shares * right).sum(dim=1) / right.sum(dim=1).clamp(min=1)
