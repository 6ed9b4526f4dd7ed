"""Nearest neighbours by cosine similarity, by multiplying matrices in chunks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes.base import Probe

SIMILARITIES_AT_ONCE = 2**25  # 128 MiB of float32


@dataclass(eq=False, repr=False)
class KnnProbe(Probe):
    """The nearest training clips by cosine similarity, which vote.

    See `knn_scores`.

    Attributes:
        neighbours: how many of the nearest training clips vote; 1 is the field's habit.
        device: where the multiplication runs.
    """

    neighbours: int = 1
    device: str = "cpu"

    title = "Nearest neighbours"

    def check(self) -> None:
        """Refuse settings without sense."""
        if self.neighbours < 1:
            raise CrosscaleError("neighbours must be at least 1")

    def fit(self, X: Any, y: Any) -> "KnnProbe":
        """Keep features (N, D) and labels (N,).

        Raises:
            CrosscaleError: when fewer training clips than neighbours exist.
        """
        self.train_x_, self.train_y_ = self._learn_classes(X, y)
        _check(self.neighbours, len(self.train_x_))
        return self

    def _scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return knn_scores(
            self.train_x_,
            self.train_y_,
            x,
            len(self.classes_),
            self.neighbours,
            device=self.device,
        )


def knn_scores(
    train_x: NDArray[np.float32],
    train_y: NDArray[np.int64],
    query_x: NDArray[np.float32],
    classes: int,
    neighbours: int = 1,
    *,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Score each class by the votes of the nearest training clips.

    A neighbour of cosine similarity s votes with (1 + s) / 2. A class without a vote gets that
    of its own nearest clip, which is below every vote cast: so all classes are ranked, as top-5
    and adding streams need, and the order among the voted ones is that of the votes.

    Args:
        train_x: (N, D) features of the gallery.
        train_y: (N,) labels in 0..classes-1.
        query_x: (N_query, D) features.
        classes: number of classes K.
        neighbours: how many vote.
        device: where the multiplication runs.

    Returns:
        (N_query, K) scores; 0 for a class without training clips.

    Raises:
        CrosscaleError: when fewer training clips than neighbours exist.
    """
    _check(neighbours, len(train_x))
    order = np.argsort(train_y, kind="stable")  # a class is then one block of columns
    sizes = np.bincount(train_y, minlength=classes).tolist()
    columns = torch.from_numpy(train_y[order]).to(device)
    gallery = functional.normalize(torch.from_numpy(train_x[order]).to(device))
    query = functional.normalize(torch.from_numpy(query_x).to(device))
    rows = max(1, SIMILARITIES_AT_ONCE // len(gallery))
    scores = [_votes(part @ gallery.T, columns, sizes, neighbours) for part in query.split(rows)]
    return torch.cat(scores).cpu().numpy()


def _check(neighbours: int, clips: int) -> None:
    if neighbours > clips:
        raise CrosscaleError(f"{neighbours} neighbours asked of {clips} training clips")


def _votes(similarities: Tensor, columns: Tensor, sizes: list[int], neighbours: int) -> Tensor:
    """(B, N) similarities to training clips sorted by class -> (B, K) scores."""
    nearest = similarities.new_full((len(similarities), len(sizes)), -1)  # (B, K), of each class
    for label, block in enumerate(similarities.split(sizes, dim=1)):
        if sizes[label]:
            nearest[:, label] = block.amax(dim=1)
    scores = _weight(nearest)
    if neighbours > 1:
        top = similarities.topk(neighbours, dim=1)  # (B, k)
        votes = torch.zeros_like(scores)
        votes.scatter_add_(1, columns[top.indices], _weight(top.values))
        scores = torch.maximum(scores, votes)
    return scores


def _weight(similarities: Tensor) -> Tensor:
    return (similarities.clamp(-1, 1) + 1) / 2
