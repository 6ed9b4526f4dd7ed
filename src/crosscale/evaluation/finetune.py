"""Fine-tuning: encoders, each with a linear layer on it, trained with labels and judged."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.nn import functional

from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.evaluation.evaluation import Curve, Evaluation, measured
from crosscale.evaluation.features import stream_titles
from crosscale.evaluation.probes.linear import new_layer, one_epoch
from crosscale.evaluation.semi import check_share, draw
from crosscale.evaluation.task import make_task
from crosscale.models.checkpoint import TrainedEncoders, save_encoders
from crosscale.models.features import embed_stream, prepared
from crosscale.training.loop import RECIPE_FILE
from crosscale.training.optim import Cosine, learning_rate
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import ClipTensors
from crosscale.utils.repeatable import derived_seed, repeatable


@dataclass(eq=False, repr=False)
class Finetune(BaseEstimator):
    """Encoder and linear layer, trained together with labels.

    By SGD on the clips as they are, without random views.

    Source: HiCLR's (AAAI 2023) released settings, which go on from AimCLR's code: rate 0.1 with a
    warm-up of 5 epochs, batches of 64, momentum 0.9, weight decay 1e-4, 70 epochs, a tenth of the
    rate from epochs 30 and 55 on. Here the rate falls as a cosine, which needs no other epochs
    named when there are fewer; and there are fewer, which suits a thousand clips on a CPU.

    Attributes:
        epochs: passes over the training clips.
        learning_rate: of SGD, the highest; it falls to zero as a cosine.
        warmup: epochs over which the rate rises from zero.
        batch_size: clips a step; the last, smaller batch is used too.
        momentum: of SGD.
        weight_decay: of SGD, on all weights.
        share: of each class's training clips that keep their label, above 0 and at most 1; at
            least one clip a class. The others are left out.
    """

    epochs: int = 40
    learning_rate: float = 0.1
    warmup: int = 5
    batch_size: int = 64
    momentum: float = 0.9
    weight_decay: float = 1e-4
    share: float = 1.0

    title = "Fine-tuning with {:.4g} % of the labels"

    def check(self) -> None:
        """Refuse settings without sense."""
        if self.epochs < 1 or self.batch_size < 1 or self.warmup < 0:
            raise CrosscaleError(
                "fine-tuning needs at least one epoch and one clip a batch, and no warm-up below 0"
            )
        if self.learning_rate <= 0:
            raise CrosscaleError(f"learning_rate must be above 0, not {self.learning_rate}")
        check_share(self.share)


class EpochTuned(NamedTuple):
    """What the caller is told after an epoch: its number, mean loss and accuracy (0 to 1)."""

    epoch: int
    loss: float
    accuracy: float


class Classifier(nn.Module):
    """An encoder of one stream with a linear layer on its features."""

    def __init__(self, transform: nn.Module, encoder: Encoder, head: nn.Linear) -> None:
        super().__init__()
        self.transform = transform
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor, body_mask: Tensor) -> Tensor:
        """Clips (N, C, T, V, M) with present bodies (N, M) to one output a class (N, K)."""
        return self.head(self.encoder(self.transform(x), body_mask))

    @torch.no_grad()
    def scores(self, clips: ClipTensors) -> NDArray[np.float32]:
        """Log-probabilities (N, K), without dropout and with frozen statistics."""
        features = embed_stream(self.encoder, self.transform, clips)
        return functional.log_softmax(self.head(features), dim=1).cpu().numpy()


class Tuned(NamedTuple):
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
    report: Callable[[str, EpochTuned], None] = lambda stream, done: None,
) -> Tuned:
    """Train every stream's encoder with labels, and judge each alone and their sum.

    Args:
        trained: where training starts, by run; they are left as they are.
        store: the whole data set.
        split: training and test clips.
        config: how encoders and layers are trained, and on which share of the labels.
        seed: of everything random; the same for every stream.
        report: called after each epoch with the stream and what the epoch gave.

    Raises:
        CrosscaleError: when the store's joints are not those of the encoders, the split is of no
            use (see `make_task`), or the loss is not finite any more.
    """
    task = make_task(store, split)
    (rows,) = draw(task.train, store.labels, config.share, 1, seed)
    task = task.learning_from(rows, config.share, 1)
    titles = stream_titles({run: list(t.encoders) for run, t in trained.items()})
    scores: dict[str, NDArray[np.float32]] = {}
    curves: dict[str, Curve] = {}
    models: dict[str, dict[str, Classifier]] = {}
    for run, own in trained.items():
        clips, query = (prepared(own, store, part.tolist()) for part in (rows, task.judged))
        labels = torch.from_numpy(store.labels[rows]).to(own.device)
        models[run] = {}
        for stream, encoder in own.encoders.items():
            title = titles[run, stream]
            transform = StreamTransform(Stream.parse(stream), own.layout).to(own.device)
            told = partial(report, title)
            model, epochs = tune(
                encoder,
                transform,
                clips,
                labels,
                len(store.classes),
                config,
                seed=seed,
                report=told,
            )
            models[run][stream] = model
            scores[title] = model.scores(query)
            curves[title] = Curve(tuple(e.loss for e in epochs), tuple(e.accuracy for e in epochs))
    return Tuned(measured(config, task, [scores], seed=seed, curves=curves), models)


@repeatable()
def tune(
    encoder: Encoder,
    transform: nn.Module,
    clips: ClipTensors,
    labels: Tensor,
    classes: int,
    config: Finetune,
    *,
    seed: int = 0,
    report: Callable[[EpochTuned], None] = lambda done: None,
) -> tuple[Classifier, list[EpochTuned]]:
    """Train a copy of an encoder together with a new linear layer.

    Args:
        encoder: where training starts; it is left as it is.
        transform: from joints to the encoder's stream.
        clips: N training clips, on the encoder's device.
        labels: (N,) labels in 0..classes-1, on the same device.
        classes: number of classes K.
        config: settings of the training.
        seed: of the layer's start, the order of clips and dropout.
        report: called after each epoch.

    Returns:
        Encoder and layer, in evaluation mode, and what each epoch gave.

    Raises:
        CrosscaleError: when the loss is not finite any more.
    """
    generator = torch.Generator().manual_seed(seed)
    head = new_layer(encoder.dim, classes, generator).to(labels.device)
    model = Classifier(transform, copy.deepcopy(encoder), head).train()
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        foreach=True,
    )
    steps, done = math.ceil(len(labels) / config.batch_size), []

    def outputs(rows: Tensor) -> Tensor:
        return model(clips.coordinates[rows], clips.body_mask[rows])

    def before(epoch: int, step: int) -> None:
        now = epoch + step / steps
        rate = learning_rate(Cosine(), config.learning_rate, now, config.epochs, config.warmup)
        for group in optimiser.param_groups:
            group["lr"] = rate
        # Dropout draws from the global generators.
        torch.manual_seed(derived_seed(seed, f"dropout {epoch} {step}"))

    for epoch in range(config.epochs):
        loss, accuracy = one_epoch(
            outputs, labels, optimiser, config.batch_size, generator, partial(before, epoch)
        )
        if not math.isfinite(loss):
            raise CrosscaleError(
                f"fine-tuning diverged in epoch {epoch + 1}; lower its learning_rate"
            )
        done.append(EpochTuned(epoch + 1, loss, accuracy))
        report(done[-1])
    return model.eval(), done


def check_target(folder: Path, runs: Mapping[str, Any]) -> None:
    """Refuse a folder in which fine-tuned encoders would take the place of others.

    Raises:
        CrosscaleError: when it is one of the runs, or any pre-training's folder.
    """
    is_run = folder.resolve() in {Path(run).resolve() for run in runs}
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
    """Write what `finetune` gave, for `load_encoders`; several runs go into folders 1, 2, ...

    Returns:
        The folders written to.
    """
    folders = [folder] if len(trained) == 1 else [folder / str(1 + i) for i in range(len(trained))]
    for target, (run, encoders) in zip(folders, trained.items(), strict=True):
        facts: dict[str, Any] = {
            "epoch": encoders.details["epoch"],
            "seed": encoders.details["seed"],
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
            **facts,
        )
    return folders


def pretrained_on(encoders: TrainedEncoders) -> str:
    """Name of the data set that encoders were pre-trained on without labels."""
    return str(encoders.details.get("pretrained_on", encoders.details["store"]))


def sources_told(names: str) -> str:
    """The names of several data sets, joined by ` + `, each once and as a reader takes them."""
    told = ["own recordings" if name == "own" else name for name in names.split(" + ")]
    return " + ".join(dict.fromkeys(told))
