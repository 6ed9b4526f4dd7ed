"""Judge frozen features on a protocol: every stream alone and their sum, on each test set."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from crosscale.data.splits import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.features import Features
from crosscale.evaluation.few import Few, Fold, Reading, drawn_of, scores_of
from crosscale.evaluation.judge import half_whitened
from crosscale.evaluation.metrics import Metrics, measure
from crosscale.evaluation.probes import PROBES, class_scores, make_probe, settings_of, title_of
from crosscale.evaluation.retrieval import Retrieval, average_precision, side_by_side
from crosscale.evaluation.semi import FewLabels, draw, normalise_by
from crosscale.evaluation.task import ClipCount, Task, make_task, total
from crosscale.utils.progress import Advance, progress, tracked

SUM = "sum"
Scores = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Curve:
    """A stream's training with labels: mean loss and accuracy (0 to 1) of each epoch."""

    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """What a probe found.

    Attributes:
        kind: name of the probe.
        title: what judged, for a reader.
        protocol: name of the split.
        classes: (K,) names of the classes that occur.
        config: settings of the probe.
        seed: of the probe's start, the order of clips, and the draws of a share of the labels.
        train: clips it learned from; in every draw as many, for `few` and `semi`, and the mean of
            several folds.
        tests: clips of each test set; the first is the headline.
        metrics: by test set, then by stream; `sum` adds the streams where there are several.
            For `few` and `semi`, means over the draws, and confusions added up over them.
        precision: mean average precision (0 to 1), by test set, then by stream, for `retrieval`.
        draws: top-1 of each draw, by test set, then by stream, for `few` and `semi`.
        folds: top-1 of the headline on each fold's test, in the folds' order, where there are
            several; the other figures are over the clips of all folds.
        curves: by stream, of probes that are trained in epochs, where there is one fold.
        notes: what a reader of the figures must know, in sentences.
        judged: (N,) names of the clips of all test sets (not part of the JSON, nor are scores).
        scores: (N, K) of these clips by stream; of the first draw, for `few` and `semi`.
    """

    kind: str
    title: str
    protocol: str
    classes: tuple[str, ...]
    config: dict[str, Any]
    seed: int
    train: ClipCount
    tests: dict[str, ClipCount]
    metrics: dict[str, dict[str, Metrics]]
    precision: dict[str, dict[str, float]]
    draws: dict[str, dict[str, tuple[float, ...]]]
    folds: tuple[float, ...]
    curves: dict[str, Curve]
    notes: tuple[str, ...]
    judged: tuple[str, ...] = field(repr=False)
    scores: Scores = field(repr=False, compare=False)

    @property
    def headline(self) -> str:
        """The sum of the streams, or the only one."""
        streams = next(iter(self.metrics.values()))
        return SUM if SUM in streams else next(iter(streams))

    @property
    def has_top_k(self) -> bool:
        """Whether more classes trained than top-k counts: else it says nothing."""
        k = next(iter(self.metrics.values()))[self.headline].k
        return sum(count > 0 for count in self.train.per_class.values()) > k

    @property
    def headline_top1(self) -> dict[str, float]:
        """Top-1 (0 to 1) of the headline, by test set."""
        return {test: streams[self.headline].top1 for test, streams in self.metrics.items()}

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values, without the scores."""
        parts = asdict(replace(self, scores={}))
        del parts["scores"], parts["judged"]
        return parts


def evaluate_features(
    probe: Any,
    features: Features,
    split: Split | Sequence[Split],
    *,
    kind: str | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    half_white: bool = False,
) -> Evaluation:
    """Train on the split's training clips and judge each of its test sets.

    Args:
        probe: a name (see `crosscale.evaluation.probes`) or a scikit-learn classifier, which is
            left as it is.
        features: of the whole data set, in the order the split's indices count.
        split: training and test clips; of several folds, which test each clip once, the figures
            are over all clips.
        kind: name of the probe for the results; by default the one it is registered under.
        seed: of what is random.
        device: where the computation runs.
        half_white: judge `half_whitened` features instead, fitted to each fold's training clips.

    Raises:
        CrosscaleError: when the split does not fit the features, a clip is in both parts, or
            no labelled clip or only one class is left to learn from.
    """
    if isinstance(probe, str):
        kind, probe = kind or probe, make_probe(probe)
    if not hasattr(probe, "fit"):
        raise CrosscaleError("fine-tuning trains the encoders, and cannot be done on features")
    if len(features.vectors) > 1 and SUM in features.vectors:
        raise CrosscaleError(f"a stream must not be named {SUM!r}: that is the streams' sum")
    folds = [split] if isinstance(split, Split) else split
    tasks = [make_task(features, fold) for fold in folds]
    task = total(tasks, folds)
    if isinstance(probe, Few | Retrieval) and len(features.vectors) > 1:
        both = {**features.vectors, SUM: side_by_side(features.vectors)}  # as one more stream
        features = replace(features, vectors=both, parts={})
    seen = [_whitened(features, fold) if half_white else features for fold in folds]
    if isinstance(probe, Few):
        return _of_few(probe, seen, tasks, task, seed)
    draws = [[one.train] for one in tasks]
    if isinstance(probe, FewLabels):
        labels = features.labels
        draws = [draw(one.train, labels, probe.share, probe.draws, seed) for one in tasks]
        seen = [
            normalise_by(own, fold.train, probe.normalise)
            for own, fold in zip(seen, folds, strict=True)
        ]
        task = task.learning_from(draws[0][0], probe.share, probe.draws)
    with progress("fitting probes", sum(map(len, draws)) * len(features.vectors)) as advance:
        fitted = [
            [_fitted(probe, own, rows, seed, str(device), advance) for rows in drawn]
            for own, drawn in zip(seen, draws, strict=True)
        ]
    scored = [
        [
            {
                stream: class_scores(one, own.vectors[stream][part.judged], len(features.classes))
                for stream, one in probes.items()
            }
            for probes in drawn
        ]
        for own, part, drawn in zip(seen, tasks, fitted, strict=True)
    ]
    curves = {
        stream: Curve(own.train_loss_, own.train_accuracy_)
        for stream, own in fitted[0][0].items()
        if hasattr(own, "train_loss_") and not isinstance(probe, FewLabels) and len(folds) == 1
    }
    joined = _joined(scored, tasks)
    found = measured(probe, task, joined, seed=seed, kind=kind, curves=curves, folds=tasks)
    if isinstance(probe, Retrieval):
        each = [[_precision(own, part, device)] for own, part in zip(seen, tasks, strict=True)]
        (precision,) = _joined(each, tasks)
        means = {
            test: {s: float(values[rows].mean()) for s, values in precision.items()}
            for test, rows in task.judged_rows.items()
        }
        found = replace(found, precision=means)
    return found


def measured(
    probe: Any,
    task: Task,
    scored: Sequence[Scores],
    *,
    seed: int,
    curves: dict[str, Curve],
    kind: str | None = None,
    folds: Sequence[Task] = (),
) -> Evaluation:
    """Measure the scores of one draw or more, by stream, over the clips that a task judges."""
    kinds = task.occurring
    scored = [{s: of[:, kinds] for s, of in with_sum(scores).items()} for scores in scored]
    classes = tuple(task.clips.classes[kind] for kind in kinds)
    labels = np.searchsorted(kinds, task.clips.labels[task.judged])
    metrics: dict[str, dict[str, Metrics]] = {}
    draws: dict[str, dict[str, tuple[float, ...]]] = {}
    for test, rows in task.judged_rows.items():
        each = {stream: [scores[stream][rows] for scores in scored] for stream in scored[0]}
        metrics[test] = {s: measure(labels[rows], *values) for s, values in each.items()}
        if isinstance(probe, FewLabels | Few):
            draws[test] = {
                s: tuple(measure(labels[rows], one).top1 for one in values)
                for s, values in each.items()
            }
    headline = SUM if SUM in scored[0] else next(iter(scored[0]))
    right = np.mean([one[headline].argmax(axis=1) == labels for one in scored], axis=0)
    places = [np.searchsorted(task.judged, fold.judged) for fold in folds if len(folds) > 1]
    by_fold = tuple(float(right[rows].mean()) for rows in places)
    told = ", ".join(f"{100 * top1:.1f}" for top1 in by_fold)
    return Evaluation(
        kind=kind or PROBES.name_of(type(probe)),
        title=title_of(probe),
        protocol=task.protocol,
        classes=classes,
        config=settings_of(probe),
        seed=seed,
        train=task.train_count.of(classes),
        tests={test: count.of(classes) for test, count in task.test_counts.items()},
        metrics=metrics,
        precision={},
        draws=draws,
        folds=by_fold,
        curves=curves,
        notes=(*task.notes, f"Top-1 of the folds: {told}.") if told else task.notes,
        judged=tuple(task.clips.names[row] for row in task.judged),
        scores=scored[0],
    )


def _of_few(
    probe: Few, seen: Sequence[Features], tasks: Sequence[Task], task: Task, seed: int
) -> Evaluation:
    """Judge each stream by that of the classifiers that names most clips right, see `Few`."""
    labels, kinds = seen[0].labels, len(seen[0].classes)
    draws = [drawn_of(labels, [Fold(one.train, one.judged)], probe, seed) for one in tasks]
    best: dict[str, list[NDArray[np.float32]]] = {}
    told = []
    streams = seen[0].vectors
    for stream in tracked(streams, "judging streams", len(streams)):
        scored = []
        folds = zip(seen, tasks, draws, strict=True)
        for own, part, drawn in tracked(folds, "folds", len(tasks)):
            reading = Reading.of(own.vectors[stream], part.train)
            scored.append(
                [scores_of(reading, labels, r, part.judged, probe.labels, kinds) for r in drawn]
            )
        each = _joined(scored, tasks)
        right = {
            name: np.mean(
                [(one[name].argmax(axis=1) == labels[task.judged]).mean() for one in each]
            )
            for name in each[0]
        }
        name = max(right, key=lambda one: right[one])
        best[stream] = [one[name] for one in each]
        told.append(f"{stream} by {name}")
    task = task.learning_from(draws[0][0], None, probe.draws)
    task = replace(task, notes=(*task.notes, f"Best of three classifiers: {', '.join(told)}."))
    by_draw = [dict(zip(best, own, strict=True)) for own in zip(*best.values(), strict=True)]
    return measured(probe, task, by_draw, seed=seed, curves={}, folds=tasks)


def _joined(each: Sequence[Sequence[Scores]], tasks: Sequence[Task]) -> list[Scores]:
    """Scores by fold and draw as scores by draw of all folds' clips, in the order of their rows."""
    order = np.argsort(np.concatenate([task.judged for task in tasks]))
    return [
        {name: np.concatenate([fold[name] for fold in folds])[order] for name in folds[0]}
        for folds in zip(*each, strict=True)
    ]


def _whitened(features: Features, fold: Split) -> Features:
    white = {s: half_whitened(vectors, fold.train) for s, vectors in features.vectors.items()}
    return replace(features, vectors=white, parts={})


def with_sum(scores: Scores) -> Scores:
    """Scores by stream, and their sum where there are several."""
    if len(scores) < 2 or SUM in scores:
        return scores
    return {**scores, SUM: np.sum([*scores.values()], axis=0, dtype=np.float32)}


def _fitted(
    probe: Any,
    features: Features,
    train: NDArray[np.int64],
    seed: int,
    device: str,
    advance: Advance,
) -> dict[str, Any]:
    """A copy of the probe for each stream, fitted to some of its clips."""
    fitted = {}
    for stream, vectors in features.vectors.items():
        given = {"random_state": seed, "device": device, "parts": features.parts.get(stream)}
        if isinstance(probe, FewLabels):
            given["normalise"] = "none"  # done by all training clips already
        known = probe.get_params()
        own = clone(probe).set_params(**{k: v for k, v in given.items() if k in known})
        try:
            fitted[stream] = own.fit(vectors[train], features.labels[train])
        except ValueError as error:
            told = f"{title_of(probe)} cannot be fitted to stream {stream}: {error}"
            raise CrosscaleError(told) from error
        advance(1)
    return fitted


def _precision(features: Features, task: Task, device: torch.device | str) -> Scores:
    """Average precision (N,) of each clip that is judged, by stream."""
    labels, train, judged = features.labels, task.train, task.judged
    return {
        stream: average_precision(
            array[train], labels[train], array[judged], labels[judged], device=device
        )
        for stream, array in features.vectors.items()
    }
