"""Figures of merit of scores with known labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from crosscale.errors import CrosscaleError

TOP_K = 5


@dataclass(frozen=True)
class Metrics:
    """How well scores name the clips' classes; all accuracies are shares from 0 to 1.

    Attributes:
        clips: number of clips judged.
        top1: share of clips whose class has the highest score.
        k: 5, or the number of classes where there are fewer.
        top_k: share of clips whose class is among the k highest scores.
        mean_class: mean of the classes' accuracies, over classes with clips.
        per_class: (K,) accuracy of each class; None for a class without clips.
        confusion: (K, K) counts of clips, rows the true class, columns the answer.
    """

    clips: int
    top1: float
    k: int
    top_k: float
    mean_class: float
    per_class: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]


def measure(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> Metrics:
    """Judge scores (N, K) by labels (N,); of equal scores, the earlier class wins.

    Raises:
        CrosscaleError: when a clip has no label, or there is no clip.
    """
    if not len(labels) or (labels < 0).any():
        raise CrosscaleError("accuracy needs at least one clip, and a label for each")
    classes = scores.shape[1]
    k = min(TOP_K, classes)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # (N, k)
    right = ranked == labels[:, None]
    confusion = confusion_matrix(labels, ranked[:, 0], labels=range(classes))
    clips = confusion.sum(axis=1)
    per_class = tuple(
        float(confusion[i, i] / clips[i]) if clips[i] else None for i in range(classes)
    )
    return Metrics(
        clips=len(labels),
        top1=float(right[:, 0].mean()),
        k=k,
        top_k=float(right.any(axis=1).mean()),
        mean_class=float(np.mean([share for share in per_class if share is not None])),
        per_class=per_class,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )
