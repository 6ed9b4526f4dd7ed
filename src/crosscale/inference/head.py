"""Heads: from embeddings to calibrated probabilities of classes, and to "none of these".

They are scikit-learn estimators. A head learns three things from its labelled clips: how to score
the classes; a temperature that makes the scores' softmax honest; and how poor a best score still
counts as known. The latter two come from answers to labelled clips that were held out.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from crosscale.errors import CrosscaleError, nearest
from crosscale.inference.spreading import MOST, Guessed, Surroundings
from crosscale.utils.quiet import few_clips_are_meant

FOLDS = 10
SIMILARITIES_AT_ONCE = 2**23  # 64 MiB at most
SMALLEST_DISTANCE = 1e-6  # copies of a clip differ by rounding only
STRENGTH = 100.0  # inverse of the regression's penalty; the temperature mends its certainty
LOG_TEMPERATURES = (-7.0, 7.0)
# The prior of temperatures, log-normal: what held-out clips of five data sets asked for, by the
# encoder `body` with 2 to 10 labels a class, and the deviation of the logarithm.
USUAL = {"linear": 0.7, "knn": 0.07}
SPREAD = 0.5


class Head(ClassifierMixin, BaseEstimator):
    """What both heads have in common: calibration and rejection.

    Held-out answers come from cross-validation: 10 folds, or as many as the smallest class with at
    least two clips has clips, which for two or three clips a class leaves one out of each class at
    a time. A class of one clip trains in every fold and is never held out. Where no class has two
    clips, nothing can be held out: the temperature is the usual one, nothing is rejected, and
    `cv_accuracy_` is NaN. A few held-out clips that are all right would ask for a temperature of
    0, so it is drawn towards the usual one, as by a prior, which many clips outweigh. People move
    alike from clip to clip, so where it is known who is in each clip, all clips of a person are
    held out together, but for classes that nobody else performs: what is learned from the answers
    then holds for people whom no labelled clip shows. Parts of a clip belong together as well.

    A clip is as familiar as it is near to a labelled clip of its most probable class, by cosine
    distance, in proportion to how near such clips are to each other; among classes it does not
    know, a classifier's own certainty says little. The threshold of rejection is the conformal
    quantile of the held-out clips' familiarity: of known clips at most `false_rejection` are
    rejected on average, if they are like those held out. With n held-out clips fewer than
    1 / `false_rejection` - 1 that cannot be promised; then the least familiar of them is the
    threshold, and about 1 in n + 1 known clips is rejected.

    Where there are ten times as many clips that nobody labelled, the linear head learns from them
    too. Their classes are guessed, see `inference.spreading`, and all of them together weigh as
    much as one labelled clip of each class. Fewer of them are guessed worse, and would cost.

    Attributes:
        classes_: (K,) classes, sorted.
        temperature_: scores are divided by it before the softmax.
        threshold_: a clip less familiar than this is none of the classes; -inf rejects nothing.
        cv_accuracy_: share of held-out clips named right.
        cv_clips_: number of clips held out, one after the other.
        cv_groups_: number of groups held out, one or some at a time; 0 where clips were.
        guessed_: number of unlabelled clips that were learned from.
    """

    kind: str
    enough: float = np.inf  # unlabelled clips for each labelled one, to learn from them

    def __init__(self, false_rejection: float = 0.05) -> None:
        self.false_rejection = false_rejection

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        parts: tuple[int, ...] | None = None,
        unlabelled: Any = None,
    ) -> "Head":
        """Learn from labelled clips.

        Args:
            X: (N, D) embeddings.
            y: (N,) classes, two or more different ones.
            groups: (N,) what is alike and is held out together: the person in each clip where that
                is known, or else the clip that each is a part of.
            parts: lengths of the parts of an embedding that are to weigh alike, however long they
                are; by default it is one.
            unlabelled: (U, D) embeddings of other clips, whose classes are not known and need not
                be among these; of many, a random sample is taken.

        Raises:
            ValueError: when they do not fit each other, or there is one class only.
        """
        X, y = validate_data(self, X, y)
        with few_clips_are_meant():
            check_classification_targets(y)
        if not 0 <= self.false_rejection < 1:
            raise ValueError(f"false_rejection is from 0 up to 1, not {self.false_rejection}")
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a head needs clips of two classes or more, not 1 class: {y[0]}")
        self.parts_ = parts or (X.shape[1],)
        folds, self.cv_groups_ = _folds(codes, groups)
        around, self.guessed_ = None, 0
        if unlabelled is not None and min(len(unlabelled), MOST) >= self.enough * len(X):
            around = Surroundings(X, validate_data(self, unlabelled, reset=False))
            self.guessed_ = len(around.x) - len(X)
        held, scores, familiarity = self._held_out(X, codes, folds, around)
        self.cv_clips_ = len(held)
        self.temperature_, self.threshold_ = USUAL[self.kind], -np.inf
        self.cv_accuracy_ = np.nan
        if len(held):
            self.temperature_ = best_temperature(scores, codes[held], USUAL[self.kind])
            self.threshold_ = _threshold(familiarity, self.false_rejection)
            self.cv_accuracy_ = float((scores.argmax(axis=1) == codes[held]).mean())
        self._learn(X, codes, around.guessed(np.arange(len(X)), codes) if around else None)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each embedding (N,); see `known` for "none of these"."""
        best = self._scores(self._checked(X)).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Calibrated probabilities (N, K) of the classes, if a clip is of one of them."""
        return self._probabilities(self._scores(self._checked(X)))

    def known(self, X: Any) -> NDArray[np.bool_]:
        """Whether each embedding (N,) is familiar enough to be of one of the classes."""
        return self.answer(X)[1]

    def answer(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """`predict_proba` (N, K) and `known` (N,) at once, at the cost of one."""
        x = self._checked(X)
        scores = self._scores(x)
        known: NDArray[np.bool_] = self._familiarity(x, scores) >= self.threshold_
        return self._probabilities(scores), known

    def cv_interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 % of the share that is named right, by the clips held out."""
        right = round(self.cv_accuracy_ * self.cv_clips_)
        found = binomtest(right, self.cv_clips_).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def _checked(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        return validate_data(self, X, reset=False)

    def _probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return softmax(scores.astype(np.float64) / self.temperature_, axis=1)

    def _held_out(
        self,
        x: NDArray[Any],
        codes: NDArray[np.int64],
        folds: list[NDArray[np.int64]],
        around: Surroundings | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Rows that are held out; their scores (n, K) and familiarity (n,) to other clips."""
        scores, familiarity = np.empty((len(x), len(self.classes_))), np.empty(len(x))
        for rows in folds:
            train = np.delete(np.arange(len(x)), rows)
            other = clone(self)
            other.parts_ = self.parts_
            others = around.guessed(train, codes[train]) if around else None
            other._learn(x[train], codes[train], others)
            scores[rows] = other._scores(x[rows])
            familiarity[rows] = other._familiarity(x[rows], scores[rows])
        held = np.sort(np.concatenate([np.empty(0, np.int64), *folds]))
        return held, scores[held], familiarity[held]

    def _learn(self, x: NDArray[Any], codes: NDArray[np.int64], others: Guessed | None) -> None:
        """Learn from embeddings (N, D) and classes (N,) in 0..K-1, all K, and from other clips."""
        order = np.argsort(codes, kind="stable")
        self.clips_ = _unit(x[order])  # clips of a class lie together
        self.counts_ = np.bincount(codes)
        self.typical_ = _typical(self.clips_, self.counts_)

    def _similarities(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Cosine similarities (N, K) to the nearest labelled clip of each class."""
        begins = np.cumsum(self.counts_) - self.counts_
        rows = max(1, SIMILARITIES_AT_ONCE // len(self.clips_))
        parts = [
            np.maximum.reduceat(_unit(x[i : i + rows]) @ self.clips_.T, begins, axis=1)
            for i in range(0, len(x), rows)
        ]
        return np.concatenate(parts)

    def _familiarity(self, x: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) log of how much nearer than usual a clip is to its most probable class."""
        best = scores.argmax(axis=1)
        similarity = np.take_along_axis(self._similarities(x), best[:, None], axis=1)[:, 0]
        return self.typical_[best] - _log_distance(similarity)

    @abstractmethod
    def _scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Scores (N, K), whose softmax at the right temperature are probabilities."""


class LinearHead(Head):
    """Logistic regression on centred embeddings.

    Directions keep their spread: along those of little spread there is mostly noise, which counts
    for as much as all else once each is brought to the same variance.
    """

    kind: str = "linear"
    enough: float = 10

    def _learn(self, x: NDArray[Any], codes: NDArray[np.int64], others: Guessed | None) -> None:
        super()._learn(x, codes, others)
        self.mean_ = x.mean(axis=0)
        self.scale_ = self._scale(x)
        weights = np.ones(len(x))
        if others is not None:
            x = np.concatenate([x, others.x])
            codes = np.concatenate([codes, others.codes])
            weights = np.concatenate([weights, others.weights])
        seen, back = self._centred(x), None
        if x.shape[1] > len(x):  # the layer lies in the span of the clips: fewer numbers to find
            seen, back = _in_their_span(seen)
        model = LogisticRegression(C=STRENGTH, tol=5e-5, max_iter=2000)
        # Its many small products take several threads of BLAS ten times as long as one.
        with few_clips_are_meant(), threadpool_limits(1, "blas"):
            model.fit(seen, codes, weights)
        self.coef_, self.intercept_ = model.coef_, model.intercept_
        if back is not None:
            self.coef_ = self.coef_ @ back
        if len(self.coef_) == 1:  # of two classes scikit-learn keeps the difference
            self.coef_ = np.concatenate([-self.coef_, self.coef_]) / 2
            self.intercept_ = np.concatenate([-self.intercept_, self.intercept_]) / 2

    def _scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return self._centred(x) @ self.coef_.T + self.intercept_

    def _scale(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """(D,) what embeddings are multiplied by, for a variance of 1, of each part its share."""
        scales = []
        for part in np.split(x.var(axis=0), np.cumsum(self.parts_)[:-1]):
            spread = max(part.sum(), np.finfo(np.float32).tiny)
            scales.append(np.full(len(part), (spread * len(self.parts_)) ** -0.5))
        return np.concatenate(scales)

    def _centred(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return (x - self.mean_) * self.scale_


class NeighbourHead(Head):
    """The nearest labelled clip of each class, by cosine similarity."""

    kind: str = "knn"

    def _scores(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return self._similarities(x)


HEADS: dict[str, type[Head]] = {"linear": LinearHead, "knn": NeighbourHead}


def make_head(kind: str, false_rejection: float = 0.05) -> Head:
    """A new head by name.

    Raises:
        CrosscaleError: naming the nearest right name.
    """
    if kind not in HEADS:
        raise CrosscaleError(f"no head '{kind}': {nearest(kind, HEADS)}")
    return HEADS[kind](false_rejection)


def _in_their_span(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows (N, D), D above N, by at most N numbers each (N, R), and the axes of these (R, D)."""
    squares, axes = np.linalg.eigh(x @ x.T)
    kept = squares > 1e-10 * squares[-1]
    lengths = np.sqrt(squares[kept])
    return axes[:, kept] * lengths, (axes[:, kept] / lengths).T @ x


def _folds(codes: NDArray[np.int64], groups: Any) -> tuple[list[NDArray[np.int64]], int]:
    """Rows that are held out together, of every class some others train; and how many groups."""
    if groups is not None:
        check_consistent_length(codes, groups)
        numbers = np.unique(groups, return_inverse=True)[1]
        if folds := list(_folds_of_groups(codes, numbers)):
            return folds, len(np.unique(numbers[np.concatenate(folds)]))
    return list(_folds_of_clips(codes)), 0


def _folds_of_groups(
    codes: NDArray[np.int64], numbers: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    count = int(numbers.max()) + 1
    if count > 1:
        classes = int(codes.max()) + 1
        for train, rows in GroupKFold(min(FOLDS, count)).split(codes, groups=numbers):
            remain = np.bincount(codes[train], minlength=classes) > 0
            if len(rows := rows[remain[codes[rows]]]):
                yield rows


def _folds_of_clips(codes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    held = np.flatnonzero(np.bincount(codes)[codes] > 1)
    if len(held):
        smallest = int(np.unique(codes[held], return_counts=True)[1].min())
        folds = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=0)
        yield from (held[places] for _, places in folds.split(held, codes[held]))


def best_temperature(scores: NDArray[np.float64], codes: NDArray[np.int64], usual: float) -> float:
    """The most probable temperature (Guo et al., ICML 2017, who take the likelihood alone)."""
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(scores / np.exp(log_temperature), axis=1)[rows, codes].sum()
        return float(((log_temperature - np.log(usual)) / SPREAD) ** 2 / 2 - likelihood)

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def _threshold(familiarity: NDArray[np.float64], false_rejection: float) -> float:
    """Reaches at most that share of such clips; nothing at 0."""
    if false_rejection == 0:
        return -np.inf
    rank = max(1, int(false_rejection * (len(familiarity) + 1)))
    return float(np.sort(familiarity)[rank - 1])


def _typical(clips: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) mean log distance from a clip of a class to the next one of the same class.

    Each class is drawn towards the mean of all by one clip's weight: few clips tell little. Where
    no class has two clips it is 0.
    """
    sums, numbers = np.zeros(len(counts)), np.where(counts > 1, counts, 0)
    for label, block in enumerate(np.split(clips, np.cumsum(counts)[:-1])):
        if len(block) > 1:
            similarities = block @ block.T
            np.fill_diagonal(similarities, -1)
            sums[label] = _log_distance(similarities.max(axis=1)).sum()
    mean = sums.sum() / max(1, numbers.sum())
    return (sums + mean) / (numbers + 1)


def _log_distance(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(1 - similarity, SMALLEST_DISTANCE))


def _unit(x: NDArray[Any]) -> NDArray[np.float64]:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)
