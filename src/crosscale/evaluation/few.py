"""Few labels: 1, 5 or 10 labelled clips a class, drawn several times, read by the best classifier.

Which classifier makes most of a few clips depends on the features, so each kind of features is
judged with three, and the one that names most test clips right speaks for it: what is compared then
is the features. Whoever uses them cannot choose so, without labels of the test.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.preprocessing import StandardScaler

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes import class_scores
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.utils.choices import DRAWS
from crosscale.utils.quiet import few_clips_are_meant

COUNTS = (1, 5, 10)  # labels a class that are judged
ALPHAS = np.logspace(-1, 5, 10)  # penalties of which cross-validation takes the best

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]


class Fold(NamedTuple):
    """Rows of clips that train, and of those that are judged."""

    train: Rows
    test: Rows


class Reading(NamedTuple):
    """Features (N, D) as classifiers of few clips like them; no label was used.

    Attributes:
        standardised: each feature with mean 0 and variance 1 over the training clips.
        centred: vectors of length 1, less their mean over the training clips, of length 1 again.
    """

    standardised: NDArray[np.float32]
    centred: NDArray[np.float32]

    @classmethod
    def of(cls, features: NDArray[np.float32], train: Rows) -> "Reading":
        """As the training clips tell."""
        directions = unit(features)
        return cls(
            StandardScaler().fit(features[train]).transform(features),
            unit(directions - directions[train].mean(axis=0)),
        )


def best_penalty() -> RidgeClassifierCV:
    """A ridge classifier whose penalty is chosen by leaving out one clip at a time."""
    return RidgeClassifierCV(alphas=ALPHAS)


# By name: what of a `Reading` it sees, and how it is made for so many labels a class.
CLASSIFIERS: Mapping[str, tuple[str, Callable[[int], Any]]] = MappingProxyType(
    {
        "nearest neighbour": ("standardised", lambda count: KnnProbe()),
        "ridge": (
            "standardised",
            lambda count: RidgeClassifier(1000.0) if count == 1 else best_penalty(),
        ),
        "ridge on directions": ("centred", lambda count: RidgeClassifier(0.1)),
    }
)


@dataclass(eq=False, repr=False)
class Few(BaseEstimator):
    """The best of three classifiers with a few labels a class, drawn several times.

    Attributes:
        labels: of each class; of a class with fewer training clips, all of them.
        draws: how many times the clips are drawn; the figures are means over the draws.
    """

    labels: int = 5
    draws: int = DRAWS

    @property
    def title(self) -> str:
        """What reports call it."""
        return f"{self.labels} {'label' if self.labels == 1 else 'labels'} a class"

    def check(self) -> None:
        """Refuse settings without sense."""
        if self.labels < 1 or self.draws < 1:
            raise CrosscaleError("few labels are at least 1 a class, drawn at least once")

    def fit(self, X: Any, y: Any) -> "Few":
        """Not by itself: it needs all clips, to draw from."""
        raise CrosscaleError("few labels are drawn from a data set: name it to `evaluate`")


def drawn(
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    draws: int = DRAWS,
    seed: int = 0,
    counts: Sequence[int] = COUNTS,
) -> list[dict[int, Rows]]:
    """Draw clips that keep their labels, from the training clips of one fold after the other.

    Args:
        labels: (N,) of all clips, by row.
        folds: draw d is of fold d modulo their number.
        draws: how many times the clips are drawn.
        seed: of the draws.
        counts: labels a class; of a class with fewer clips, all of them.

    Returns:
        For each draw, the rows by count.
    """
    rng = np.random.default_rng(seed)
    found = []
    for number in range(draws):
        train = folds[number % len(folds)].train
        classes = [train[labels[train] == label] for label in np.unique(labels[train])]
        found.append(
            {
                count: np.concatenate(
                    [rng.choice(own, min(count, len(own)), replace=False) for own in classes]
                )
                for count in counts
            }
        )
    return found


def drawn_of(
    labels: NDArray[np.int64], folds: Sequence[Fold], probe: Few, seed: int = 0
) -> list[Rows]:
    """The draws of one count, the same whichever other counts are judged."""
    counts = COUNTS if probe.labels in COUNTS else (*COUNTS, probe.labels)
    return [rows[probe.labels] for rows in drawn(labels, folds, probe.draws, seed, counts)]


def scores_of(
    reading: Reading, labels: NDArray[np.int64], rows: Rows, test: Rows, count: int, classes: int
) -> dict[str, Scores]:
    """Scores (n, K) of test clips (n,) by each classifier that learned from `rows`.

    Labels (N,) lie in 0..K-1; `count` is how many of each class are among the rows.
    """
    found = {}
    for name, (what, make) in CLASSIFIERS.items():
        features = getattr(reading, what)
        with few_clips_are_meant():
            fitted = make(count).fit(features[rows], labels[rows])
        found[name] = class_scores(fitted, features[test], classes)
    return found


def unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (N, D) brought to length 1."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.maximum(lengths, 1e-9)
