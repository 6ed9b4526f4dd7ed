"""Linear evaluation: one linear layer trained on frozen features."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from crosscale.errors import CrosscaleError


@dataclass(frozen=True)
class LinearConfig:
    """How the linear layer is trained; the optimiser's values are the published code's.

    Attributes:
        epochs: passes over the training features.
        learning_rate: of SGD (the paper's text says 0.3, its code 3.0).
        milestones: epochs from which on the learning rate is a tenth of what it was.
        batch_size: clips a step; the last, smaller batch is used too.
        momentum: of SGD.
        weight_decay: of SGD.
        normalise: what is done to the features first. `none` is published. `standardise` gives
            each feature mean 0 and equal variance over the training clips, such that a vector's
            mean squared length is 1; `l2` gives every vector length 1. With either, the learning
            rate means the same whatever the encoder's scale.
    """

    epochs: int = 100
    learning_rate: float = 3.0
    milestones: tuple[int, ...] = (80,)
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0
    normalise: Literal["none", "standardise", "l2"] = "standardise"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise CrosscaleError("linear evaluation needs at least one epoch and one clip a batch")
        if self.learning_rate <= 0:
            raise CrosscaleError(f"learning_rate must be above 0, not {self.learning_rate}")


@dataclass(frozen=True, eq=False)
class LinearResult:
    """What the trained layer says, and how its training went.

    Attributes:
        scores: (N_test, K) float32 log-probabilities of the last epoch's layer. Their sum over
            streams ranks classes as the sum of the layers' outputs does.
        train_loss: mean cross entropy of each epoch's batches, before their own step.
        train_accuracy: share of right answers, likewise.
    """

    scores: NDArray[np.float32]
    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]


def linear_scores(
    train_x: NDArray[np.float32],
    train_y: NDArray[np.int64],
    test_x: NDArray[np.float32],
    classes: int,
    config: LinearConfig | None = None,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> LinearResult:
    """Train a linear layer on the training features and score the test features.

    Args:
        train_x: (N, D) features.
        train_y: (N,) labels in 0..classes-1.
        test_x: (N_test, D) features.
        classes: number of classes K.
        config: settings of the training.
        seed: of the layer's start and the order of clips; the same on every device.
        device: where data and layer live.

    Raises:
        CrosscaleError: when the loss is not finite any more.
    """
    config = config or LinearConfig()
    generator = torch.Generator().manual_seed(seed)
    train, test = normalised(
        torch.from_numpy(train_x).to(device), torch.from_numpy(test_x).to(device), config
    )
    layer = new_layer(train.shape[1], classes, generator).to(device)
    labels = torch.from_numpy(train_y).to(device)
    # A step is too small to share: one thread is faster, and the same on any number of cores.
    with one_thread():
        loss, accuracy = _train(layer, train, labels, config, generator)
    with torch.no_grad():
        scores = functional.log_softmax(layer(test), dim=1)  # (N_test, K)
    return LinearResult(scores.cpu().numpy(), tuple(loss), tuple(accuracy))


def new_layer(width: int, classes: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer from features to classes, started as in MoCo's evaluation; on the CPU."""
    layer = nn.Linear(width, classes)
    nn.init.normal_(layer.weight, std=0.01, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def normalised(train: Tensor, test: Tensor, config: LinearConfig) -> tuple[Tensor, Tensor]:
    """(N, D) and (N_test, D) features as `config.normalise` says, by the training features."""
    if config.normalise == "none":
        return train, test
    if config.normalise == "l2":
        return functional.normalize(train), functional.normalize(test)
    return standardised(train, test)


def standardised(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Features of mean 0 and equal variance over the training clips (N, D), of unit mean square.

    What does not vary there becomes 0.
    """
    mean = train.mean(dim=0)
    deviation = train.std(dim=0, correction=0)
    varies = deviation > 1e-6 * deviation.max().clamp_min(1e-30)
    scale = torch.where(varies, 1 / deviation, 0) / varies.sum().clamp_min(1).sqrt()  # (D,)
    return (train - mean) * scale, (test - mean) * scale


def _train(
    layer: nn.Linear, x: Tensor, y: Tensor, config: LinearConfig, generator: torch.Generator
) -> tuple[list[float], list[float]]:
    optimiser = torch.optim.SGD(
        layer.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(config.milestones))
    losses, accuracies = [], []
    for epoch in range(config.epochs):
        loss_sum = torch.zeros((), device=x.device)  # stays on the device: no wait for each step
        right = torch.zeros((), device=x.device)
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for rows in order.split(config.batch_size):
            outputs = layer(x[rows])  # (B, K)
            loss = functional.cross_entropy(outputs, y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_sum += loss.detach() * len(rows)
            right += (outputs.detach().argmax(dim=1) == y[rows]).sum()
        schedule.step()
        losses.append(float(loss_sum) / len(x))
        accuracies.append(float(right) / len(x))
        if not np.isfinite(losses[-1]):
            raise CrosscaleError(
                f"the linear layer diverged in epoch {epoch + 1}; "
                "lower its learning_rate or set normalise to standardise"
            )
    return losses, accuracies


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread within the block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
