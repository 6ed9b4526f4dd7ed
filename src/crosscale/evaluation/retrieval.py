"""Retrieval: every test clip asks for the training clips of its own class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SIMILARITIES_AT_ONCE = 2**24  # their ranking takes about 300 MB


@dataclass(frozen=True)
class RetrievalConfig:
    """There is nothing to set: all training clips are ranked by cosine similarity."""


def average_precision(
    train_x: NDArray[np.float32],
    train_y: NDArray[np.int64],
    test_x: NDArray[np.float32],
    test_y: NDArray[np.int64],
    *,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """How early each test clip finds the training clips of its class.

    A clip's average precision is the mean, over the training clips of its class, of the share of
    that class among all clips ranked as high or higher.

    Args:
        train_x: (N, D) features.
        train_y: (N,) labels.
        test_x: (N_test, D) features.
        test_y: (N_test,) labels.
        device: where the computation runs.

    Returns:
        (N_test,) from 0 to 1; 0 for a clip whose class has no training clip.
    """
    train = functional.normalize(torch.from_numpy(train_x).to(device))
    test = functional.normalize(torch.from_numpy(test_x).to(device))
    known, asked = torch.from_numpy(train_y).to(device), torch.from_numpy(test_y).to(device)
    rows = max(1, SIMILARITIES_AT_ONCE // len(train))
    parts = zip(test.split(rows), asked.split(rows), strict=True)
    found = [_precision(x @ train.T, known, labels) for x, labels in parts]
    return torch.cat(found).cpu().numpy()


def side_by_side(vectors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, sum of D): all streams, each vector at length 1 so that streams count alike.

    The cosine of two such rows is the mean of the streams' cosines.
    """
    parts = []
    for array in vectors.values():
        lengths = np.linalg.norm(array, axis=1, keepdims=True)
        parts.append(array / np.maximum(lengths, 1e-12))
    return np.concatenate(parts, axis=1)


def _precision(similarities: Tensor, known: Tensor, asked: Tensor) -> Tensor:
    """(B, N) similarities, (N,) and (B,) labels -> (B,) average precisions."""
    order = similarities.argsort(dim=1, descending=True, stable=True)
    right = known[order] == asked.unsqueeze(1)  # (B, N)
    ranks = torch.arange(1, len(known) + 1, device=known.device)
    shares = right.cumsum(dim=1) / ranks
    return (shares * right).sum(dim=1) / right.sum(dim=1).clamp(min=1)
