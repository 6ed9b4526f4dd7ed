"""Encoders on many stores and protocols, beside what needs no training, all judged alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from crosscale.data.conversion import in_layout
from crosscale.data.splits import folds, usual
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluation.baselines import (
    HALF_WHITE,
    MULTIROCKET,
    RAW,
    ROCKET,
    UNTRAINED,
    blank_encoders,
    multirocket_vectors,
    rocket_features,
)
from crosscale.evaluation.extract import extract
from crosscale.evaluation.features import UNLABELLED
from crosscale.evaluation.few import Fold
from crosscale.evaluation.judge import COLUMNS, MOST_AXES, Answers, judge
from crosscale.evaluation.retrieval import side_by_side
from crosscale.models.checkpoint import TrainedEncoders, load_encoders
from crosscale.models.hub import resolve
from crosscale.transforms.preprocess import load
from crosscale.utils.choices import DRAWS, OWN
from crosscale.utils.progress import tracked

RESAMPLES = 2000
FLOORS = (RAW, ROCKET, HALF_WHITE)
STEP = 2  # raw coordinates of every other frame are compared
ENDS = (2.5, 97.5)  # per cent, of intervals


@dataclass(frozen=True)
class Interval:
    """A figure, and what holds it with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Tallies:
    """Answers added up by subject, or by clip where there are not two known subjects.

    Attributes:
        weight: (S,) how much each subject's answers count.
        right: (S,) how much of that was right.
    """

    weight: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, several: Sequence[Answers], group: NDArray[np.int64]) -> "Tallies":
        """The mean of several, such as those of three seeds.

        Args:
            several: answers.
            group: (N,) the number of each clip's subject.
        """
        size = int(group.max()) + 1
        counted, right = np.zeros((2, size))
        for one in several:
            counted += np.bincount(group[one.clips], one.weight, size)
            right += np.bincount(group[one.clips], one.weight * one.right, size)
        return cls(counted / len(several), right / len(several))

    @property
    def top1(self) -> float:
        """Share of right answers, from 0 to 1."""
        return float(self.right.sum() / self.weight.sum())

    def resampled(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Top-1 (R,) where subjects are there as often as `counts` (R, S) says."""
        # A sample may hold none of those that were tested.
        right, weight = counts @ self.right, counts @ self.weight
        return right / np.maximum(weight, 1e-12)


@dataclass(frozen=True, eq=False)
class Ground:
    """A store and a protocol on which all was judged.

    Attributes:
        title: of both.
        tallies: by name of the features, then column.
        subjects: whether the answers are added up by subject; else by clip.
    """

    title: str
    tallies: Mapping[str, Mapping[str, Tallies]]
    subjects: bool

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each subject is there in each of the samples (R, S), the same for all."""
        weights = [t.weight for columns in self.tallies.values() for t in columns.values()]
        tested = np.flatnonzero(np.sum(weights, axis=0) > 0)
        counts = np.zeros((RESAMPLES, len(weights[0])), np.int64)
        equal = np.full(len(tested), 1 / len(tested))
        counts[:, tested] = np.random.default_rng(0).multinomial(len(tested), equal, RESAMPLES)
        return counts


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What was found.

    Attributes:
        encoders: names of those that are judged.
        features: names of all that was judged, encoders first, with the length of a vector.
        grounds: on which.
        draws: of few labels.
    """

    encoders: tuple[str, ...]
    features: Mapping[str, int]
    grounds: tuple[Ground, ...]
    draws: int

    def top1(self, name: str, column: str, grounds: Sequence[Ground]) -> float:
        """Mean over some grounds, from 0 to 1."""
        return mean(ground.tallies[name][column].top1 for ground in grounds)

    def has(self, name: str, grounds: Sequence[Ground]) -> bool:
        """Whether the features were judged on all of these grounds."""
        return all(name in ground.tallies for ground in grounds)

    def floor(self, column: str, grounds: Sequence[Ground]) -> str:
        """The best features without training there."""
        floors = [name for name in FLOORS if self.has(name, grounds)]
        return max(floors, key=lambda name: self.top1(name, column, grounds))

    def removed(self, name: str, column: str, grounds: Sequence[Ground]) -> Interval:
        """Share of the best floor's errors that features remove, with a paired bootstrap interval.

        Subjects are drawn anew of each ground, the same ones for both; the floor is the one that is
        best as measured.
        """
        floor = self.floor(column, grounds)
        ours, theirs = (
            np.mean([g.tallies[one][column].resampled(g.counts) for g in grounds], axis=0)
            for one in (name, floor)
        )
        low, high = np.percentile(errors_removed(ours, theirs), ENDS)
        value = errors_removed(*(np.array(self.top1(n, column, grounds)) for n in (name, floor)))
        return Interval(float(value), float(low), float(high))


def errors_removed(ours: NDArray[np.float64], floor: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a floor's errors that features remove, negative where they add some.

    Both are top-1, from 0 to 1.

    A floor without errors counts as one that errs once in a thousand.
    """
    return (ours - floor) / np.maximum(1 - floor, 1e-3)


def run_benchmark(
    encoders: Mapping[str, TrainedEncoders],
    stores: Sequence[tuple[ClipStore, str]],
    *,
    draws: int = DRAWS,
    untrained: bool = True,
    say: Callable[[str], None] = lambda told: None,
) -> Benchmark:
    """Judge encoders, and what needs no training, on stores by protocols.

    Args:
        encoders: by name.
        stores: each with a protocol of `crosscale.data.splits.folds`, or `own`: the first one that
            comes with the store, or five folds where none does.
        draws: of few labels.
        untrained: judge each encoder before training too, as a mean over three seeds.
        say: told what is judged, in a sentence.

    Raises:
        CrosscaleError: when a store has no such protocol or labels, or an encoder cannot take it.
    """
    named = [(store, usual(store) if name == OWN else name) for store, name in stores]
    titles = [f"{store.path.resolve().name}, {protocol}" for store, protocol in named]
    if len(set(titles)) < len(titles):
        raise CrosscaleError(f"the same data and protocol twice: {'; '.join(titles)}")
    grounds: list[Ground] = []
    lengths: dict[str, int] = {}
    all_stores = zip(titles, named, strict=True)
    for title, (store, protocol) in tracked(all_stores, "data sets", len(named)):
        parts = _folds(store, protocol)
        tallies: dict[str, dict[str, Tallies]] = {}
        group, by_subject = _groups(store, parts)
        features = _features(encoders, store, untrained, parts[0].train)
        for name, each in tracked(features, "judging features", len(features)):
            say(f"{title}: {name}")
            vectors = each[0]
            lengths[name] = vectors.shape[1]
            for own, half_white in [(name, False)] + [(HALF_WHITE, True)] * (name == ROCKET):
                found = [
                    judge(x, store.labels, parts, draws=draws, half_white=half_white) for x in each
                ]
                tallies[own] = {c: Tallies.of([one[c] for one in found], group) for c in COLUMNS}
            if name == ROCKET:
                least = min(len(part.train) // 2 for part in parts)
                lengths[HALF_WHITE] = max(lengths.get(HALF_WHITE, 0), min(MOST_AXES, least))
        grounds.append(Ground(title, tallies, by_subject))
    return Benchmark(tuple(encoders), lengths, tuple(grounds), draws)


def _features(
    encoders: Mapping[str, TrainedEncoders],
    store: ClipStore,
    with_untrained: bool,
    train: NDArray[np.int64],
) -> list[tuple[str, list[NDArray[np.float32]]]]:
    """All that is judged by name, the encoders first; of untrained ones there are several."""
    found = [(name, [_vectors(own, store)]) for name, own in encoders.items()]
    for name, own in encoders.items() if with_untrained else ():
        blanks = [_vectors(blank[name], store) for blank in blank_encoders({name: own})]
        if blanks:
            found.append((f"{name}, {UNTRAINED}", blanks))
    found.append((RAW, [_raw(store)]))
    rocket = rocket_features(store)
    if rocket is not None:
        found.append((ROCKET, [rocket.vectors[ROCKET]]))
    multirocket = multirocket_vectors(store, train)
    if multirocket is not None:
        found.append((MULTIROCKET, [multirocket]))
    return found


def _vectors(encoders: TrainedEncoders, store: ClipStore) -> NDArray[np.float32]:
    """(N, D), all streams side by side."""
    vectors = extract(encoders, store).vectors
    return side_by_side(vectors) if len(vectors) > 1 else next(iter(vectors.values()))


def _raw(store: ClipStore) -> NDArray[np.float32]:
    """Coordinates (N, D) as the encoder `rocket` sees them, of every other frame."""
    rocket = load_encoders(resolve("rocket"))
    try:
        source = in_layout(store, rocket.layout)
    except CrosscaleError:
        source = store
    clips = load(source, range(len(store)), rocket.preprocess).coordinates
    return clips[:, :, ::STEP].flatten(start_dim=1).numpy()


def _folds(store: ClipStore, protocol: str) -> list[Fold]:
    """Labelled rows."""
    found = []
    for part in folds(store, protocol):
        train = part.train[store.labels[part.train] != UNLABELLED]
        if not part.tests or len(np.unique(store.labels[train])) < 2:
            raise CrosscaleError(f"{store.path}, {protocol}: labels of two classes are needed")
        found.append(Fold(train, next(iter(part.tests.values()))))
    return found


def _groups(store: ClipStore, parts: Sequence[Fold]) -> tuple[NDArray[np.int64], bool]:
    """What is drawn anew together: the number (N,) of each clip's subject, or of the clip."""
    subjects = store.column("subject")
    tested = subjects[np.unique(np.concatenate([part.test for part in parts]))]
    if (tested >= 0).all() and len(np.unique(tested)) > 1:
        return np.unique(subjects, return_inverse=True)[1].astype(np.int64), True
    return np.arange(len(store)), False
