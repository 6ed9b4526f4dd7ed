"""Scores of classes for named clips, and their sum over streams, joined by clip name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosscale.errors import CrosscaleError
from crosscale.evaluation.named import align, check_labels, check_unique, pick
from crosscale.utils.text import listed


@dataclass(frozen=True, eq=False)
class Scores:
    """How much each class is favoured for each clip; the highest is the answer.

    Attributes:
        names: (N,) unique clip names.
        classes: (K,) class names.
        values: (N, K) scores.
        labels: (N,) true classes, -1 where unknown; None when none is known.

    Raises:
        CrosscaleError: naming duplicate clips or saying which sizes do not fit.
    """

    names: Sequence[str]
    classes: Sequence[str]
    values: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "classes", tuple(self.classes))
        check_unique("clip", self.names)
        check_unique("class", self.classes)
        if self.values.shape != (len(self.names), len(self.classes)):
            raise CrosscaleError(
                f"scores must be {len(self.names)} clips x {len(self.classes)} classes, "
                f"got {self.values.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(self.values).all(axis=1))
        if len(bad):
            raise CrosscaleError(f"scores not finite for {listed(pick(self.names, bad))}")
        if self.labels is not None:
            check_labels(self.labels, len(self.names), self.classes)

    def __len__(self) -> int:
        return len(self.names)

    def select(self, names: Sequence[str]) -> "Scores":
        """The clips of these names, in their order.

        Raises:
            CrosscaleError: naming clips that have no scores.
        """
        places = {name: i for i, name in enumerate(self.names)}
        missing = [name for name in names if name not in places]
        if missing:
            raise CrosscaleError(f"no scores for {listed(missing)}")
        rows = np.array([places[name] for name in names], dtype=np.int64)
        labels = None if self.labels is None else self.labels[rows]
        return Scores(names, self.classes, self.values[rows], labels)


def add_scores(parts: Mapping[str, Scores], weights: Mapping[str, float] | None = None) -> Scores:
    """Add the scores of several streams or runs, clip by clip and class by class, by name.

    Args:
        parts: scores by a title that messages use.
        weights: factor by title; 1 where none is given.

    Returns:
        The sum, in the order of the first part.

    Raises:
        CrosscaleError: when clips, classes or labels differ, naming the differing ones.
    """
    if not parts:
        raise CrosscaleError("no scores to add")
    weights = weights or {}
    unknown = weights.keys() - parts.keys()
    if unknown:
        raise CrosscaleError(f"weights for {listed(sorted(unknown))}, which have no scores")
    title, first = next(iter(parts.items()))
    total = np.zeros(first.values.shape, dtype=np.float32)
    labels = first.labels
    for other, part in parts.items():
        rows = align(first.names, part.names, other)
        columns = _columns(first.classes, part.classes, f"{title} and {other}")
        total += weights.get(other, 1.0) * part.values[np.ix_(rows, columns)]
        if part.labels is None:
            continue
        # places of this part's classes among the first's, then -1 for label -1
        part_labels = np.array([*np.argsort(columns), -1])[part.labels[rows]]
        labels = part_labels if labels is None else labels
        wrong = np.flatnonzero(labels != part_labels)
        if len(wrong):
            raise CrosscaleError(
                f"{title} and {other} label {listed(pick(first.names, wrong))} differently"
            )
    return Scores(first.names, first.classes, total, labels)


def _columns(wanted: Sequence[str], classes: Sequence[str], titles: str) -> NDArray[np.int64]:
    """Where each wanted class lies in `classes`."""
    differing = set(wanted) ^ set(classes)
    if differing:
        raise CrosscaleError(
            f"{titles} have different classes ({len(wanted)} and {len(classes)}); "
            f"only one of them has {listed(sorted(differing))}"
        )
    return np.array([classes.index(name) for name in wanted], dtype=np.int64)
