"""Judge frozen features on a protocol: every stream alone and their sum, on each test set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.data.protocol import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluate.features import Features
from crosscale.evaluate.knn import KnnConfig, knn_scores
from crosscale.evaluate.linear import LinearConfig, linear_scores
from crosscale.evaluate.metrics import Metrics, measure
from crosscale.evaluate.named import UNLABELLED, listed, pick
from crosscale.evaluate.retrieval import RetrievalConfig, average_precision, side_by_side
from crosscale.evaluate.scores import Scores, add_scores
from crosscale.evaluate.semi import SemiConfig, draw, mean_metrics, normalise_by

SUM = "sum"
T = TypeVar("T")

Kind = Literal["linear", "knn", "retrieval", "semi"]
Config = LinearConfig | KnnConfig | RetrievalConfig | SemiConfig
CONFIGS: Mapping[Kind, type[Config]] = {
    "linear": LinearConfig,
    "knn": KnnConfig,
    "retrieval": RetrievalConfig,
    "semi": SemiConfig,
}
TITLES: Mapping[Kind, str] = {
    "linear": "Linear layer",
    "knn": "Nearest neighbours",
    "retrieval": "Retrieval",
    "semi": "Linear layer with {:.4g} % of the labels",
}


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


@dataclass(frozen=True)
class Curve:
    """Training of one stream's linear layer: mean loss and accuracy (0 to 1) of each epoch."""

    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """What one kind of evaluation found.

    Attributes:
        kind: of the evaluation.
        protocol: name of the split.
        classes: (K,) class names.
        config: settings of the classifier.
        seed: of the linear layer's start and order of clips, and of `semi`'s draws.
        train: clips it learned from; in every draw as many, for `semi`.
        tests: clips of each test set; the first is the headline.
        metrics: by test set, then by stream; `sum` adds the streams where there are several.
            For `semi`, means over the draws, and confusions added up over them.
        precision: mean average precision (0 to 1), by test set, then by stream, for `retrieval`.
        draws: top-1 of each draw, by test set, then by stream, for `semi`.
        curves: by stream, for `linear`.
        notes: what a reader of the figures must know, in sentences.
        scores: by stream, over the clips of all test sets (not part of the JSON); of the first
            draw, for `semi`.
    """

    kind: Kind
    protocol: str
    classes: tuple[str, ...]
    config: dict[str, object]
    seed: int
    train: ClipCount
    tests: dict[str, ClipCount]
    metrics: dict[str, dict[str, Metrics]]
    precision: dict[str, dict[str, float]]
    draws: dict[str, dict[str, tuple[float, ...]]]
    curves: dict[str, Curve]
    notes: tuple[str, ...]
    scores: Mapping[str, Scores] = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """What did the judging, for a reader."""
        share = self.config.get("share")
        return TITLES[self.kind].format(100 * share if isinstance(share, int | float) else "")

    @property
    def headline(self) -> str:
        """The sum of the streams, or the only one."""
        streams = next(iter(self.metrics.values()))
        return SUM if SUM in streams else next(iter(streams))

    def to_dict(self) -> dict[str, object]:
        """The figures as JSON values, without the scores."""
        parts = asdict(replace(self, scores={}))
        del parts["scores"]
        return parts


def evaluate(
    kind: Kind,
    features: Features,
    split: Split,
    config: Config | None = None,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Train on the split's training clips and judge each of its test sets.

    Args:
        kind: `linear` layer, nearest neighbours (`knn`), `retrieval`, or the linear layer on a
            share of the labels (`semi`).
        features: of the whole data set, in the order the split's indices count.
        split: training and test clips.
        config: of that kind; its defaults when None.
        seed: of the linear layer and of `semi`'s draws; the others need none.
        device: where the computation runs.

    Raises:
        CrosscaleError: when the split does not fit the features, a clip is in both parts, or
            no labelled clip or only one class is left to learn from.
    """
    config = config or CONFIGS[kind]()
    _check(kind, config, features, split)
    train = _labelled(split.train, features)
    tests = {name: _labelled(indices, features) for name, indices in split.tests.items()}
    counts = {name: _count(indices, features) for name, indices in split.tests.items()}
    train_count = _count(split.train, features)
    _check_parts(train_count, counts)
    notes = _notes(train_count, counts)

    draws = [train]
    if isinstance(config, SemiConfig):
        draws = draw(train, features.labels, config, seed)
        features = normalise_by(features, split.train, config)
        train_count = _count(draws[0], features)
        notes.append(_told(config, train_count))
    if isinstance(config, RetrievalConfig) and len(features.vectors) > 1:
        # Streams are added before ranking: what is summed is similarity to one and the same clip.
        both = {**features.vectors, SUM: side_by_side(features.vectors)}
        features = replace(features, vectors=both)
    judged = np.unique(np.concatenate(list(tests.values())))  # test sets overlap: score once
    scored = [_scores(config, features, rows, judged, seed, device) for rows in draws]
    scores, curves = scored[0]
    each = {
        test: _measured([drawn for drawn, _ in scored], pick(features.names, clips))
        for test, clips in tests.items()
    }
    is_semi, is_retrieval = kind == "semi", kind == "retrieval"
    return Evaluation(
        kind=kind,
        protocol=split.name,
        classes=tuple(features.classes),
        config=asdict(config),
        seed=seed,
        train=train_count,
        tests=counts,
        metrics=_for_each(each, mean_metrics),
        precision=_precision(features, train, judged, tests, device) if is_retrieval else {},
        draws=_for_each(each, lambda draws: tuple(m.top1 for m in draws)) if is_semi else {},
        curves=curves if kind == "linear" else {},
        notes=tuple(notes),
        scores=scores,
    )


def _measured(draws: Sequence[Mapping[str, Scores]], names: list[str]) -> dict[str, list[Metrics]]:
    """The named clips' metrics by stream, one of each draw."""
    return {stream: [measure(s[stream].select(names)) for s in draws] for stream in draws[0]}


def _for_each(
    tests: Mapping[str, Mapping[str, list[Metrics]]], function: Callable[[list[Metrics]], T]
) -> dict[str, dict[str, T]]:
    """The function's value of the draws, by test set, then by stream."""
    return {
        test: {stream: function(draws) for stream, draws in streams.items()}
        for test, streams in tests.items()
    }


def _scores(
    config: Config,
    features: Features,
    train: NDArray[np.int64],
    judged: NDArray[np.int64],
    seed: int,
    device: torch.device | str,
) -> tuple[dict[str, Scores], dict[str, Curve]]:
    """Scores of every stream and of their sum, and the linear layers' curves."""
    scores: dict[str, Scores] = {}
    curves: dict[str, Curve] = {}
    for stream in features.vectors:
        scores[stream], curve = _score(config, features, stream, train, judged, seed, device)
        curves |= {stream: curve} if curve else {}
    if len(scores) > 1 and SUM not in scores:
        scores[SUM] = add_scores(scores)
    return scores, curves


def _score(
    config: Config,
    features: Features,
    stream: str,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
    device: torch.device | str,
) -> tuple[Scores, Curve | None]:
    """Scores of one stream for the test clips, and the linear layer's curve."""
    vectors, labels, classes = features.vectors[stream], features.labels, len(features.classes)
    curve = None
    known, asked = vectors[train], vectors[test]
    if isinstance(config, LinearConfig):
        if isinstance(config, SemiConfig):
            config = replace(config, normalise="none")  # done by all training clips already
        result = linear_scores(
            known, labels[train], asked, classes, config, seed=seed, device=device
        )
        values, curve = result.scores, Curve(result.train_loss, result.train_accuracy)
    else:
        voting = config if isinstance(config, KnnConfig) else KnnConfig()
        values = knn_scores(known, labels[train], asked, classes, voting, device=device)
    return Scores(pick(features.names, test), features.classes, values, labels[test]), curve


def _precision(
    features: Features,
    train: NDArray[np.int64],
    judged: NDArray[np.int64],
    tests: Mapping[str, NDArray[np.int64]],
    device: torch.device | str,
) -> dict[str, dict[str, float]]:
    """Mean average precision by test set, then by stream."""
    labels = features.labels
    each = {
        stream: average_precision(
            array[train], labels[train], array[judged], labels[judged], device=device
        )
        for stream, array in features.vectors.items()
    }
    return {
        test: {stream: float(each[stream][np.isin(judged, clips)].mean()) for stream in each}
        for test, clips in tests.items()
    }


def _check(kind: Kind, config: Config, features: Features, split: Split) -> None:
    if type(config) is not CONFIGS[kind]:
        raise CrosscaleError(f"{kind} evaluation got the settings of another kind: {config}")
    if len(features.vectors) > 1 and SUM in features.vectors:
        raise CrosscaleError(f"a stream must not be named {SUM!r}: that is the streams' sum")
    for name, indices in {"train": split.train, **split.tests}.items():
        if len(indices) and (indices.min() < 0 or indices.max() >= len(features)):
            raise CrosscaleError(
                f"{split.name} ({name}) counts clips up to {indices.max()}, but there are "
                f"features of {len(features)}; extract those of the whole data set"
            )
    both = np.intersect1d(split.train, np.concatenate(list(split.tests.values())))
    if len(both):
        names = listed(pick(features.names, both))
        raise CrosscaleError(f"{split.name} has clips in both training and test part: {names}")


def _check_parts(train: ClipCount, tests: dict[str, ClipCount]) -> None:
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


def _labelled(indices: NDArray[np.int64], features: Features) -> NDArray[np.int64]:
    return indices[features.labels[indices] != UNLABELLED]


def _count(indices: NDArray[np.int64], features: Features) -> ClipCount:
    used = features.labels[_labelled(indices, features)]
    per_class = np.bincount(used, minlength=len(features.classes)).tolist()
    return ClipCount(
        used=len(used),
        unlabelled=len(indices) - len(used),
        per_class=dict(zip(features.classes, per_class, strict=True)),
    )


def _notes(train: ClipCount, tests: dict[str, ClipCount]) -> list[str]:
    notes = []
    for part, count in {"training part": train, **tests}.items():
        if count.unlabelled:
            notes.append(f"{part}: {count.unlabelled} clips without a label were left out.")
    for part, count in tests.items():
        seen = {name for name, clips in train.per_class.items() if clips}
        asked = {name for name, clips in count.per_class.items() if clips}
        unseen, unasked = sorted(asked - seen), sorted(seen - asked)
        if unseen:
            notes.append(
                f"{part}: {sum(count.per_class[name] for name in unseen)} clips are of classes "
                f"without a training clip and cannot be right: {listed(unseen)}."
            )
        if unasked:
            notes.append(f"{part}: no test clip of the trained classes {listed(unasked)}.")
        if unseen and unasked:
            notes.append(f"{part}: training and test differ in classes; is a label shifted?")
    return notes


def _told(config: SemiConfig, train: ClipCount) -> str:
    used = ", ".join(f"{name} {clips}" for name, clips in train.per_class.items() if clips)
    return (
        f"{100 * config.share:.4g} % of the labels are {train.used} training clips, drawn "
        f"{config.draws} times: {used}."
    )
