"""Judge frozen features on a protocol: every stream alone and their sum, on each test set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.data.splits import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.features import Features
from crosscale.evaluation.finetune import FinetuneConfig
from crosscale.evaluation.knn import KnnConfig, knn_scores
from crosscale.evaluation.linear import LinearConfig, linear_scores
from crosscale.evaluation.metrics import Metrics, measure
from crosscale.evaluation.named import pick
from crosscale.evaluation.retrieval import RetrievalConfig, average_precision, side_by_side
from crosscale.evaluation.ridge import RidgeConfig, ridge_scores
from crosscale.evaluation.scores import Scores, add_scores
from crosscale.evaluation.semi import SemiConfig, draw, mean_metrics, normalise_by
from crosscale.evaluation.task import ClipCount, Task, make_task

SUM = "sum"
T = TypeVar("T")

Kind = Literal["linear", "ridge", "knn", "retrieval", "semi", "finetune"]
Config = LinearConfig | RidgeConfig | KnnConfig | RetrievalConfig | SemiConfig | FinetuneConfig
CONFIGS: Mapping[Kind, type[Config]] = {
    "linear": LinearConfig,
    "ridge": RidgeConfig,
    "knn": KnnConfig,
    "retrieval": RetrievalConfig,
    "semi": SemiConfig,
    "finetune": FinetuneConfig,
}
TITLES: Mapping[Kind, str] = {
    "linear": "Linear layer",
    "ridge": "Linear layer by least squares",
    "knn": "Nearest neighbours",
    "retrieval": "Retrieval",
    "semi": "Linear layer with {:.4g} % of the labels",
    "finetune": "Fine-tuning with {:.4g} % of the labels",
}


@dataclass(frozen=True)
class Curve:
    """A stream's training with labels: mean loss and accuracy (0 to 1) of each epoch."""

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
        seed: of the layer's start, the order of clips, and the draws of a share of the labels.
        train: clips it learned from; in every draw as many, for `semi`.
        tests: clips of each test set; the first is the headline.
        metrics: by test set, then by stream; `sum` adds the streams where there are several.
            For `semi`, means over the draws, and confusions added up over them.
        precision: mean average precision (0 to 1), by test set, then by stream, for `retrieval`.
        draws: top-1 of each draw, by test set, then by stream, for `semi`.
        curves: by stream, for `linear` and `finetune`.
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

    @property
    def headline_top1(self) -> dict[str, float]:
        """Top-1 (0 to 1) of the headline, by test set."""
        return {test: streams[self.headline].top1 for test, streams in self.metrics.items()}

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
        kind: `linear` layer, the same by least squares (`ridge`), nearest neighbours (`knn`),
            `retrieval`, or the linear layer on a share of the labels (`semi`). For `finetune`,
            which needs the encoders themselves, see `crosscale.evaluation.tuned`.
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
    _check(kind, config, features)
    task = make_task(features, split)
    draws = [task.train]
    if isinstance(config, SemiConfig):
        draws = draw(task.train, features.labels, config.share, config.draws, seed)
        features = normalise_by(features, split.train, config)
        task = task.learning_from(draws[0], config.share, config.draws)
    if isinstance(config, RetrievalConfig) and len(features.vectors) > 1:
        # Streams are added before ranking: what is summed is similarity to one and the same clip.
        both = {**features.vectors, SUM: side_by_side(features.vectors)}
        features = replace(features, vectors=both)
    scored = [_scores(config, features, task, rows, seed, device) for rows in draws]
    is_retrieval = isinstance(config, RetrievalConfig)
    return made_evaluation(
        kind,
        task,
        config,
        [scores for scores, _ in scored],
        seed=seed,
        precision=_precision(features, task, device) if is_retrieval else {},
        curves=scored[0][1] if kind == "linear" else {},
    )


def made_evaluation(
    kind: Kind,
    task: Task,
    config: Config,
    scored: Sequence[Mapping[str, Scores]],
    *,
    seed: int,
    precision: dict[str, dict[str, float]],
    curves: dict[str, Curve],
) -> Evaluation:
    """Measure the scores of one draw or more, by stream, over the clips that a task judges."""
    each = {test: _measured(scored, task, rows) for test, rows in task.tests.items()}
    return Evaluation(
        kind=kind,
        protocol=task.protocol,
        classes=tuple(task.clips.classes),
        config=asdict(config),
        seed=seed,
        train=task.train_count,
        tests=task.test_counts,
        metrics=_for_each(each, mean_metrics),
        precision=precision,
        draws=_for_each(each, lambda m: tuple(d.top1 for d in m)) if kind == "semi" else {},
        curves=curves,
        notes=task.notes,
        scores=scored[0],
    )


def with_sum(scores: Mapping[str, Scores]) -> dict[str, Scores]:
    """Scores by stream, and their sum where there are several."""
    is_needed = len(scores) > 1 and SUM not in scores
    return {**scores, SUM: add_scores(scores)} if is_needed else dict(scores)


def _measured(
    draws: Sequence[Mapping[str, Scores]], task: Task, rows: NDArray[np.int64]
) -> dict[str, list[Metrics]]:
    """The metrics of some judged clips by stream, one of each draw."""
    names = pick(task.clips.names, rows)
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
    task: Task,
    train: NDArray[np.int64],
    seed: int,
    device: torch.device | str,
) -> tuple[dict[str, Scores], dict[str, Curve]]:
    """Scores of every stream and of their sum, and the linear layers' curves."""
    scores: dict[str, Scores] = {}
    curves: dict[str, Curve] = {}
    for stream in features.vectors:
        scores[stream], curve = _score(config, features, stream, task, train, seed, device)
        curves |= {stream: curve} if curve else {}
    return with_sum(scores), curves


def _score(
    config: Config,
    features: Features,
    stream: str,
    task: Task,
    train: NDArray[np.int64],
    seed: int,
    device: torch.device | str,
) -> tuple[Scores, Curve | None]:
    """Scores of one stream for the judged clips, and the linear layer's curve."""
    vectors, labels, classes = features.vectors[stream], features.labels, len(features.classes)
    curve = None
    known, asked = vectors[train], vectors[task.judged]
    if isinstance(config, LinearConfig):
        if isinstance(config, SemiConfig):
            config = replace(config, normalise="none")  # done by all training clips already
        result = linear_scores(
            known, labels[train], asked, classes, config, seed=seed, device=device
        )
        values, curve = result.scores, Curve(result.train_loss, result.train_accuracy)
    elif isinstance(config, RidgeConfig):
        values = ridge_scores(
            known, labels[train], asked, classes, config, parts=features.parts.get(stream)
        )
    else:
        voting = config if isinstance(config, KnnConfig) else KnnConfig()
        values = knn_scores(known, labels[train], asked, classes, voting, device=device)
    return task.scores(values), curve


def _precision(
    features: Features, task: Task, device: torch.device | str
) -> dict[str, dict[str, float]]:
    """Mean average precision by test set, then by stream."""
    labels, train, judged = features.labels, task.train, task.judged
    each = {
        stream: average_precision(
            array[train], labels[train], array[judged], labels[judged], device=device
        )
        for stream, array in features.vectors.items()
    }
    return {
        test: {stream: float(each[stream][np.isin(judged, clips)].mean()) for stream in each}
        for test, clips in task.tests.items()
    }


def _check(kind: Kind, config: Config, features: Features) -> None:
    if isinstance(config, FinetuneConfig):
        raise CrosscaleError("fine-tuning trains the encoders, and cannot be done on features")
    if type(config) is not CONFIGS[kind]:
        raise CrosscaleError(f"{kind} evaluation got the settings of another kind: {config}")
    if len(features.vectors) > 1 and SUM in features.vectors:
        raise CrosscaleError(f"a stream must not be named {SUM!r}: that is the streams' sum")
