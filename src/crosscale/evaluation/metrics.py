"""Figures of merit of scores with known labels."""

from collections.abc import Iterable
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


def measure(labels: NDArray[np.int64], *draws: NDArray[np.float32]) -> Metrics:
    """Judge scores by labels; of equal scores, the earlier class wins.

    Args:
        labels: (N,) true classes.
        draws: (N, K) scores; of several, figures are means, and confusions are added up.

    Raises:
        CrosscaleError: when a clip has no label, or there is no clip.
    """
    if not len(labels) or (labels < 0).any():
        raise CrosscaleError("accuracy needs at least one clip, and a label for each")
    classes = draws[0].shape[1]
    k = min(TOP_K, classes)
    ranked = [np.argsort(-scores, axis=1, kind="stable")[:, :k] for scores in draws]  # (N, k)
    right = [answers == labels[:, None] for answers in ranked]
    confusion = sum(confusion_matrix(labels, r[:, 0], labels=range(classes)) for r in ranked)
    clips = confusion.sum(axis=1)
    per_class = [float(confusion[i, i] / n) if n else None for i, n in enumerate(clips)]
    return Metrics(
        clips=len(labels),
        top1=_mean(hits[:, 0].mean() for hits in right),
        k=k,
        top_k=_mean(hits.any(axis=1).mean() for hits in right),
        mean_class=_mean(share for share in per_class if share is not None),
        per_class=tuple(per_class),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([*values]))


def calibration_error(probabilities: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How far the probability of the answers is from the share that is right, in ten bins.

    Source: the expected calibration error of Guo et al. (ICML 2017).

    Args:
        probabilities: (N, K) of the classes.
        right: (N,) whether the most probable class is the true one.
    """
    best = probabilities.max(axis=1)
    bins = np.minimum((10 * best).astype(int), 9)
    return sum(
        abs(float(best[bins == i].mean() - right[bins == i].mean())) * float((bins == i).mean())
        for i in np.unique(bins)
    )
