"""The one way in which features of any kind are judged, so that their figures can be compared.

With all labels by ridge regression, with none by the nearest neighbour, and with 1, 5 and 10 labels
a class, see `crosscale.evaluation.few`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from crosscale.evaluation.few import (
    COUNTS,
    Fold,
    Reading,
    Rows,
    best_penalty,
    drawn,
    scores_of,
    unit,
)
from crosscale.utils.choices import DRAWS

Named = tuple[Rows, NDArray[np.bool_]]  # test clips, and whether each was named right
MOST_AXES = 512  # of half-whitened features
ALL, NEAREST = "all labels", "nearest neighbour"
FEW = {count: f"{count} label{'s' * (count > 1)} a class" for count in COUNTS}
COLUMNS = (ALL, NEAREST, *FEW.values())


@dataclass(frozen=True, eq=False)
class Answers:
    """How often clips were named right, each maybe several times.

    Attributes:
        clips: (R,) rows of the clips.
        right: (R,) whether that answer was right.
        weight: (R,) how much it counts in the figure; they add up to 1.
    """

    clips: Rows
    right: NDArray[np.bool_]
    weight: NDArray[np.float64]

    @property
    def top1(self) -> float:
        """Share of right answers, from 0 to 1."""
        return float(self.weight @ self.right)

    @classmethod
    def of(cls, parts: Sequence[Named], alike: bool) -> "Answers":
        """Answers that came in parts: of which each clip counts alike, or else each part."""
        clips, right = (np.concatenate(values) for values in zip(*parts, strict=True))
        sizes = [np.full(len(rows), 1 if alike else 1 / len(rows)) for rows, _ in parts]
        weight = np.concatenate(sizes)
        return cls(clips, right, weight / weight.sum())


def judge(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    *,
    draws: int = DRAWS,
    half_white: bool = False,
    seed: int = 0,
) -> dict[str, Answers]:
    """Judge features of any kind.

    Args:
        features: (N, D) of all clips.
        labels: (N,) of all clips; those of the folds are not -1.
        folds: whose test clips are judged: all of them by all labels and the nearest neighbour;
            those of fold d modulo their number by draw d of few labels.
        draws: of few labels.
        half_white: judge `half_whitened` features instead, fitted to each fold's training clips.
        seed: of the draws.

    Returns:
        Answers by column, see `COLUMNS`.
    """
    classes = int(labels.max()) + 1
    seen = [half_whitened(features, fold.train) if half_white else features for fold in folds]
    found = {}
    for column, by in ((ALL, _by_ridge), (NEAREST, _by_neighbour)):
        parts = [by(x, labels, fold) for x, fold in zip(seen, folds, strict=True)]
        found[column] = Answers.of(parts, alike=True)
    tried: dict[int, dict[str, list[Named]]] = {c: {} for c in COUNTS}
    readings: dict[int, Reading] = {}
    for number, rows in enumerate(drawn(labels, folds, draws, seed)):
        fold = number % len(folds)
        test = folds[fold].test
        if fold not in readings:
            readings[fold] = Reading.of(seen[fold], folds[fold].train)
        reading = readings[fold]
        for count, train in rows.items():
            scores = scores_of(reading, labels, train, test, count, classes)
            for name, own in scores.items():
                right = own.argmax(axis=1) == labels[test]
                tried[count].setdefault(name, []).append((test, right))
    for count, column in FEW.items():
        by_classifier = [Answers.of(parts, alike=False) for parts in tried[count].values()]
        found[column] = max(by_classifier, key=lambda answers: answers.top1)
    return found


def half_whitened(features: NDArray[np.float32], train: Rows) -> NDArray[np.float32]:
    """Features on the principal axes of the training clips, each divided by the root of its spread.

    No label is used. Axes along which clips hardly differ are raised, but not to the noise that
    whitening them whole would make of them.

    Args:
        features: (N, D) of all clips.
        train: rows of the training clips.

    Returns:
        (N, K): K is at most 512, and half of the training clips.
    """
    mean, deviation = features[train].mean(axis=0), features[train].std(axis=0) + 1e-6
    standardised = (features - mean) / deviation
    _, spread, axes = np.linalg.svd(standardised[train] / len(train) ** 0.5, full_matrices=False)
    kept = min(MOST_AXES, len(train) // 2, len(axes))
    whitened: NDArray[np.float32] = standardised @ axes[:kept].T
    return (whitened / (spread[:kept] + 1e-3 * spread[0]) ** 0.5).astype(np.float32)


def _by_ridge(x: NDArray[np.float32], labels: NDArray[np.int64], fold: Fold) -> Named:
    train, test = fold
    scaler = StandardScaler().fit(x[train])
    fitted = best_penalty().fit(scaler.transform(x[train]), labels[train])
    return test, fitted.predict(scaler.transform(x[test])) == labels[test]


def _by_neighbour(x: NDArray[np.float32], labels: NDArray[np.int64], fold: Fold) -> Named:
    train, test = fold
    directions = unit(x)
    nearest = (directions[test] @ directions[train].T).argmax(axis=1)
    return test, labels[train][nearest] == labels[test]
