"""Linear evaluation: one linear layer trained on frozen features."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes.base import Probe
from crosscale.utils.progress import tracked
from crosscale.utils.repeatable import one_thread

Normalise = Literal["none", "standardise", "l2"]


@dataclass(eq=False, repr=False)
class LinearProbe(Probe):
    """One linear layer, trained by descent.

    The optimiser's values are the published code's. The scores are log-probabilities of the last
    epoch's layer: their sum over streams ranks classes as the sum of the layers' outputs does.

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
        random_state: seed of the layer's start and the order of clips; the same on every device.
        device: where data and layer live.
        train_loss_: mean cross entropy of each epoch's batches, before their own step.
        train_accuracy_: share of right answers (0 to 1), likewise.
    """

    epochs: int = 100
    learning_rate: float = 3.0
    milestones: tuple[int, ...] = (80,)
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0
    normalise: Normalise = "standardise"
    random_state: int = 0
    device: str = "cpu"

    title = "Linear layer"

    def check(self) -> None:
        """Refuse settings without sense."""
        if self.epochs < 1 or self.batch_size < 1:
            raise CrosscaleError("linear evaluation needs at least one epoch and one clip a batch")
        if self.learning_rate <= 0:
            raise CrosscaleError(f"learning_rate must be above 0, not {self.learning_rate}")

    def fit(self, X: Any, y: Any) -> "LinearProbe":
        """Train the layer.

        Args:
            X: (N, D) features.
            y: (N,) labels.

        Raises:
            CrosscaleError: when the loss is not finite any more.
        """
        X, codes = self._learn_classes(X, y)
        generator = torch.Generator().manual_seed(self.random_state)
        features = torch.from_numpy(X).to(self.device)
        labels = torch.from_numpy(codes).to(self.device)
        self.normaliser_ = Normaliser(features, self.normalise)
        layer = new_layer(features.shape[1], len(self.classes_), generator)
        self.layer_ = layer.to(self.device)
        # A step is too small to share: one thread is faster, and the same on any number of cores.
        with one_thread():
            self._train(self.normaliser_(features), labels, generator)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities (N, K) of the classes, for features (N, D)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:  # the second class's log-probability minus that of the first
            scores = np.stack([np.zeros_like(scores), scores], axis=1)
        return torch.from_numpy(scores).softmax(dim=1).numpy()

    @torch.no_grad()
    def _scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        features = self.normaliser_(torch.from_numpy(x).to(self.device))
        return functional.log_softmax(self.layer_(features), dim=1).cpu().numpy()

    def _train(self, x: Tensor, y: Tensor, generator: torch.Generator) -> None:
        optimiser = torch.optim.SGD(
            self.layer_.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(self.milestones))
        curve = []
        for epoch in tracked(range(self.epochs), "epochs of a linear layer", self.epochs):
            curve.append(
                one_epoch(
                    lambda rows: self.layer_(x[rows]), y, optimiser, self.batch_size, generator
                )
            )
            schedule.step()
            if not np.isfinite(curve[-1][0]):
                raise CrosscaleError(
                    f"the linear layer diverged in epoch {epoch + 1}; "
                    "lower its learning_rate or set normalise to standardise"
                )
        self.train_loss_, self.train_accuracy_ = zip(*curve, strict=True)


def one_epoch(
    outputs: Callable[[Tensor], Tensor],
    labels: Tensor,
    optimiser: torch.optim.Optimizer,
    batch_size: int,
    generator: torch.Generator,
    before: Callable[[int], None] = lambda step: None,
) -> tuple[float, float]:
    """Train once on all clips with labels, in an order that is drawn.

    Args:
        outputs: of clips by number (B,), one output a class (B, K).
        labels: (N,) of all clips.
        optimiser: of what is trained.
        batch_size: clips a step; the last, smaller batch is used too.
        generator: of the order.
        before: called with the number of each step.

    Returns:
        The mean loss, and the share of right answers, each before the steps that it led to.
    """
    loss_sum = torch.zeros((), device=labels.device)  # stays on the device: no step waits
    right = torch.zeros((), device=labels.device)
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    for step, rows in enumerate(order.split(batch_size)):
        before(step)
        answers = outputs(rows)
        loss = functional.cross_entropy(answers, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss_sum += loss.detach() * len(rows)
        right += (answers.detach().argmax(dim=1) == labels[rows]).sum()
    return float(loss_sum) / len(labels), float(right) / len(labels)


class Normaliser:
    """Brings features (N, D) to a scale, as `LinearProbe.normalise` says.

    To standardise, each is given mean 0 and equal variance over the training clips, and a vector a
    mean squared length of 1; what does not vary there becomes 0.
    """

    def __init__(self, train: Tensor, how: Normalise = "standardise") -> None:
        self.how = how
        if how == "standardise":
            self.mean = train.mean(dim=0)
            deviation = train.std(dim=0, correction=0)
            varies = deviation > 1e-6 * deviation.max().clamp_min(1e-30)
            number = varies.sum().clamp_min(1)
            self.scale = torch.where(varies, 1 / deviation, 0) / number.sqrt()  # (D,)

    def __call__(self, x: Tensor) -> Tensor:
        """Features of any clips."""
        if self.how == "none":
            return x
        return functional.normalize(x) if self.how == "l2" else (x - self.mean) * self.scale


def new_layer(width: int, classes: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer from features to classes, started as in MoCo's evaluation; on the CPU."""
    layer = nn.Linear(width, classes)
    nn.init.normal_(layer.weight, std=0.01, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
