"""Fine-tuned encoders: judged on a protocol like frozen ones, and kept."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluation.evaluation import Curve, Evaluation, made_evaluation
from crosscale.evaluation.extract import check_layout, load_onto
from crosscale.evaluation.features import stream_titles
from crosscale.evaluation.finetune import Classifier, EpochTuned, Finetune, tune
from crosscale.evaluation.semi import draw
from crosscale.evaluation.task import make_task
from crosscale.models.checkpoint import TrainedEncoders, save_encoders
from crosscale.training.loop import RECIPE_FILE
from crosscale.transforms.modality import Stream, StreamTransform


@dataclass(frozen=True, eq=False)
class Tuned:
    """What fine-tuning gave.

    Attributes:
        evaluation: the figures.
        models: encoders with their layers, by run, then by stream.
    """

    evaluation: Evaluation
    models: Mapping[str, Mapping[str, Classifier]]


def finetune(
    trained: Mapping[str, TrainedEncoders],
    store: ClipStore,
    split: Split,
    config: Finetune,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    report: Callable[[str, EpochTuned], None] = lambda stream, done: None,
) -> Tuned:
    """Train every stream's encoder with labels, and judge each alone and their sum.

    Args:
        trained: where training starts, by run, on `device`; they are left as they are.
        store: the whole data set.
        split: training and test clips.
        config: how encoders and layers are trained, and on which share of the labels.
        seed: of everything random; the same for every stream.
        device: where the computation runs.
        report: called after each epoch with the stream and what the epoch gave.

    Raises:
        CrosscaleError: when the store's joints are not those of the encoders, the split is of no
            use (see `make_task`), or the loss is not finite any more.
    """
    device = torch.device(device)
    for encoders in trained.values():
        check_layout(encoders, store)
    task = make_task(store, split)
    (rows,) = draw(task.train, store.labels, config.share, 1, seed)
    task = task.learning_from(rows, config.share, 1)
    titles = stream_titles({run: list(t.encoders) for run, t in trained.items()})
    labels = torch.from_numpy(store.labels[rows]).to(device)
    scores: dict[str, NDArray[np.float32]] = {}
    curves: dict[str, Curve] = {}
    models: dict[str, dict[str, Classifier]] = {}
    for run, encoders in trained.items():
        clips, query = (load_onto(device, encoders, store, part) for part in (rows, task.judged))
        models[run] = {}
        for stream, encoder in encoders.encoders.items():
            title = titles[run, stream]
            model, epochs = tune(
                encoder,
                StreamTransform(Stream.parse(stream), encoders.layout).to(device),
                clips,
                labels,
                len(store.classes),
                config,
                seed=seed,
                report=partial(report, title),
            )
            models[run][stream] = model
            scores[title] = model.scores(query).cpu().numpy()
            curves[title] = Curve(tuple(e.loss for e in epochs), tuple(e.accuracy for e in epochs))
    evaluation = made_evaluation(config, task, [scores], seed=seed, precision={}, curves=curves)
    return Tuned(evaluation, models)


def check_target(folder: Path, runs: Iterable[Path]) -> None:
    """Refuse a folder in which fine-tuned encoders would take the place of others.

    Raises:
        CrosscaleError: when it is one of the runs, or any pre-training's folder.
    """
    is_run = folder.resolve() in {run.resolve() for run in runs}
    if is_run or (folder / RECIPE_FILE).exists():
        raise CrosscaleError(
            f"{folder} is a run, whose encoders would be replaced; name another folder with --out"
        )


def save_tuned(
    folder: Path,
    tuned: Tuned,
    trained: Mapping[str, TrainedEncoders],
    store: ClipStore,
    protocol: str,
) -> list[Path]:
    """Write the encoders, for `load_encoders`.

    Args:
        folder: of one run's encoders; those of several runs go into folders 1, 2, ... in it.
        tuned: what `finetune` gave.
        trained: what it was given.
        store: what the labels came from.
        protocol: whose training part it saw.

    Returns:
        The folders written to.
    """
    folders = [folder] if len(trained) == 1 else [folder / str(1 + i) for i in range(len(trained))]
    for target, (run, encoders) in zip(folders, trained.items(), strict=True):
        before = encoders.details
        labels_of: dict[str, Any] = {
            "finetuned": tuned.evaluation.config | {"seed": tuned.evaluation.seed},
            "pretrained_on": pretrained_on(encoders),
        }
        save_encoders(
            target,
            {stream: model.encoder for stream, model in tuned.models[run].items()},
            encoders.layout,
            encoders.preprocess,
            classes=list(store.classes),
            protocol=protocol,
            store=store.name,
            data=store.path,
            epoch=before["epoch"],
            seed=before["seed"],
            **labels_of,
        )
    return folders


def pretrained_on(encoders: TrainedEncoders) -> str:
    """Name of the data set that encoders were pre-trained on without labels."""
    return str(encoders.details.get("pretrained_on", encoders.details["store"]))
