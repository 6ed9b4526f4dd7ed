"""What an evaluation is asked: which labelled clips train, and which are judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crosscale.data.splits import LEAK_FREE, Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.features import UNLABELLED
from crosscale.utils.text import counted, listed


class Labelled(Protocol):
    """Clips with names and labels, as a store and features have them."""

    @property
    def names(self) -> Sequence[str]:
        """(N,) clip names."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class indices, -1 for unlabelled."""

    @property
    def classes(self) -> Sequence[str]:
        """(K,) class names."""


@dataclass(frozen=True)
class ClipCount:
    """Which clips of a part were used.

    Attributes:
        used: number of labelled clips.
        unlabelled: number of clips left out for want of a label.
        per_class: labelled clips of each class, by class name.
    """

    used: int
    unlabelled: int
    per_class: dict[str, int]

    def of(self, classes: Iterable[str]) -> "ClipCount":
        """The same without the classes that are not named."""
        return replace(self, per_class={name: self.per_class[name] for name in classes})


@dataclass(frozen=True, eq=False)
class Task:
    """The labelled clips of a split, by row.

    Attributes:
        clips: all of the data set.
        protocol: name of the split.
        train: rows that train.
        tests: rows of each test set; the first is the headline.
        train_count: how many train, of which class.
        test_counts: how many of each test set are judged, of which class.
        notes: what a reader of the figures must know, in sentences.
    """

    clips: Labelled
    protocol: str
    train: NDArray[np.int64]
    tests: dict[str, NDArray[np.int64]]
    train_count: ClipCount
    test_counts: dict[str, ClipCount]
    notes: tuple[str, ...]

    @property
    def judged(self) -> NDArray[np.int64]:
        """Rows of all test sets, each once though the sets overlap."""
        return np.unique(np.concatenate(list(self.tests.values())))

    @property
    def occurring(self) -> list[int]:
        """Classes that train or are judged: names of a format may tell of many others."""
        counts = [self.train_count, *self.test_counts.values()]
        return [
            i for i, name in enumerate(self.clips.classes) if any(c.per_class[name] for c in counts)
        ]

    @property
    def judged_rows(self) -> dict[str, NDArray[np.int64]]:
        """Where the clips of each test set lie in `judged`."""
        return {test: np.searchsorted(self.judged, rows) for test, rows in self.tests.items()}

    def learning_from(self, rows: NDArray[np.int64], share: float | None, draws: int) -> "Task":
        """The same with some of the training clips, drawn so many times.

        Args:
            rows: one draw.
            share: of the labels that these are, None where so many a class are drawn.
            draws: how many times.
        """
        count = _count(rows, self.clips)
        used = ", ".join(f"{name} {clips}" for name, clips in count.per_class.items() if clips)
        times = f", drawn {draws} times" if draws > 1 else ""
        what = "The labels are" if share is None else f"{100 * share:.4g} % of the labels are"
        note = f"{what} {count.used} training clips{times}: {used}."
        return replace(self, train=rows, train_count=count, notes=(*self.notes, note))


def make_task(clips: Labelled, split: Split) -> Task:
    """Take the labelled clips of a split.

    Raises:
        CrosscaleError: when the split does not fit the clips, a clip is in both parts, there is
            no test, or no labelled clip or only one class is left to learn from.
    """
    _check_rows(clips, split)
    train = _count(split.train, clips)
    tests = {name: _count(rows, clips) for name, rows in split.tests.items()}
    _check_counts(train, tests)
    return Task(
        clips=clips,
        protocol=split.name,
        train=_labelled(split.train, clips),
        tests={name: _labelled(rows, clips) for name, rows in split.tests.items()},
        train_count=train,
        test_counts=tests,
        notes=tuple(_notes(train, tests)),
    )


def total(tasks: Sequence[Task], folds: Sequence[Split]) -> Task:
    """The tasks of all folds as one, in which each clip is tested once.

    Returns:
        Its `train` are the clips that learn in any fold, and their count is the mean of the folds.
    """
    first = tasks[0]
    if len(tasks) == 1:
        return first
    (headline, *_) = first.tests
    tests = {headline: np.sort(np.concatenate([task.tests[headline] for task in tasks]))}
    leaked = np.sort(np.concatenate([fold.leaked for fold in folds]))
    if 0 < len(leaked) < len(tests[headline]):
        tests[LEAK_FREE] = np.setdiff1d(tests[headline], leaked)
    counts = [task.train_count for task in tasks]
    train = ClipCount(
        used=round(np.mean([count.used for count in counts])),
        unlabelled=int((first.clips.labels == UNLABELLED).sum()),
        per_class={
            name: round(np.mean([count.per_class[name] for count in counts]))
            for name in first.clips.classes
        },
    )
    by = f"whole {folds[0].factor}s" if folds[0].factor else "clips, as subjects are not known"
    notes = [f"{len(folds)} folds of {by}: each is tested by what was learned from the others."]
    if len(leaked):
        notes.append(
            f"{counted(len(leaked), 'clip')} with an equal in another fold, in all coordinates, "
            f"left out of {LEAK_FREE.replace('_', '-')}: "
            f"{listed(first.clips.names[i] for i in leaked)}."
        )
    if train.unlabelled:
        notes.append(f"Left out {counted(train.unlabelled, 'clip')} without a label.")
    unseen = [
        (name, clips)
        for task in tasks
        for name, clips in task.test_counts[headline].per_class.items()
        if clips and not task.train_count.per_class[name]
    ]
    notes += _unseen("their folds", unseen)
    return Task(
        clips=first.clips,
        protocol=first.protocol,
        train=np.unique(np.concatenate([task.train for task in tasks])),
        tests=tests,
        train_count=train,
        test_counts={name: _count(rows, first.clips) for name, rows in tests.items()},
        notes=tuple(notes),
    )


def _check_rows(clips: Labelled, split: Split) -> None:
    if not split.tests:
        raise CrosscaleError(
            f"protocol {split.name} tests no clip, so there is nothing to judge; leave it out, or "
            "take --protocol folds or leave_one_subject_out"
        )
    for name, rows in {"train": split.train, **split.tests}.items():
        if len(rows) and (rows.min() < 0 or rows.max() >= len(clips.names)):
            raise CrosscaleError(
                f"{split.name} ({name}) counts clips up to {rows.max()}, but there are "
                f"features of {len(clips.names)}; extract those of the whole data set"
            )
    both = np.intersect1d(split.train, np.concatenate(list(split.tests.values())))
    if len(both):
        names = listed(clips.names[row] for row in both.tolist())
        raise CrosscaleError(f"{split.name} has clips in both training and test part: {names}")


def _check_counts(train: ClipCount, tests: dict[str, ClipCount]) -> None:
    if sum(count > 0 for count in train.per_class.values()) < 2:
        raise CrosscaleError(
            f"the training part has {train.used} labelled clips of fewer than 2 classes "
            f"({train.unlabelled} unlabelled); evaluation needs labels"
        )
    for name, count in tests.items():
        if not count.used:
            raise CrosscaleError(
                f"test set {name} has no labelled clip ({count.unlabelled} unlabelled)"
            )


def _labelled(rows: NDArray[np.int64], clips: Labelled) -> NDArray[np.int64]:
    return rows[clips.labels[rows] != UNLABELLED]


def _count(rows: NDArray[np.int64], clips: Labelled) -> ClipCount:
    used = clips.labels[_labelled(rows, clips)]
    per_class = np.bincount(used, minlength=len(clips.classes)).tolist()
    return ClipCount(
        used=len(used),
        unlabelled=len(rows) - len(used),
        per_class=dict(zip(clips.classes, per_class, strict=True)),
    )


def _notes(train: ClipCount, tests: dict[str, ClipCount]) -> list[str]:
    notes = []
    for part, count in {"training part": train, **tests}.items():
        if count.unlabelled:
            notes.append(f"{part}: left out {counted(count.unlabelled, 'clip')} without a label.")
    for part, count in tests.items():
        seen = {name for name, clips in train.per_class.items() if clips}
        asked = {name for name, clips in count.per_class.items() if clips}
        unseen, unasked = sorted(asked - seen), sorted(seen - asked)
        notes += _unseen(part, [(name, count.per_class[name]) for name in unseen])
        if unasked:
            notes.append(f"{part}: no test clip of the trained classes {listed(unasked)}.")
        if unseen and unasked:
            notes.append(f"{part}: training and test differ in classes; is a label shifted?")
    return notes


def _unseen(part: str, clips: Sequence[tuple[str, int]]) -> list[str]:
    """A note of how many test clips are of classes that nothing was learned of, if any."""
    if not clips:
        return []
    names = listed(sorted({name for name, _ in clips}))
    return [
        f"{part}: {sum(count for _, count in clips)} clips are of classes without a training clip "
        f"and cannot be right: {names}."
    ]
