"""Optimisers and schedules, by name; each is the dataclass of its own settings.

One of one's own is a dataclass with a method `make` that takes groups of parameters, as PyTorch's
optimisers do: `--optimiser my_file:MyOptimiser`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from crosscale.errors import CrosscaleError
from crosscale.utils.registry import Registry

OPTIMISERS = Registry(
    "optimiser",
    "crosscale.optimisers",
    {"sgd": "crosscale.training.optim:SGD", "adamw": "crosscale.training.optim:AdamW"},
    methods=("make",),
)
SCHEDULES = Registry(
    "schedule",
    "crosscale.schedules",
    {"step": "crosscale.training.optim:Step", "cosine": "crosscale.training.optim:Cosine"},
    methods=("rate",),
)
Groups = list[dict[str, Any]]


class OptimiserSettings(Protocol):
    """What an optimiser's settings give."""

    @property
    def lr(self) -> float:
        """The learning rate where the schedule starts from."""

    def make(self, groups: Groups) -> Optimizer:
        """The optimiser of some groups of parameters, which may set `weight_decay` themselves."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum.

    Attributes:
        lr: learning rate.
        momentum: of the gradient.
        nesterov: look ahead along the momentum.
        weight_decay: pull of weights towards zero.
        decay_all: of normalisations and biases too, as in the published code.
        clip_norm: largest norm of the gradient of all weights together; null for any.
    """

    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    decay_all: bool = True
    clip_norm: float | None = None

    def make(self, groups: Groups) -> Optimizer:
        """PyTorch's."""
        return torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            foreach=True,
        )


@dataclass(frozen=True)
class AdamW:
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, ICLR 2019).

    Attributes:
        lr: learning rate.
        betas: of the averages of the gradient and of its square.
        eps: added to the root of the latter.
        weight_decay: pull of weights towards zero.
        decay_all: of normalisations and biases too.
        clip_norm: largest norm of the gradient of all weights together; null for any.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.05
    decay_all: bool = False
    clip_norm: float | None = None

    def make(self, groups: Groups) -> Optimizer:
        """PyTorch's."""
        return torch.optim.AdamW(
            groups,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            foreach=True,
        )


def make_optimiser(module: nn.Module, settings: OptimiserSettings) -> Optimizer:
    """An optimiser of every trainable parameter of a module.

    Normalisations and biases, which are vectors, are a group without weight decay where the
    settings have `decay_all` off.

    Raises:
        CrosscaleError: when the optimiser refuses its settings, such as a negative rate.
    """
    trained = [weights for weights in module.parameters() if weights.requires_grad]
    groups: Groups = [{"params": trained}]
    if not getattr(settings, "decay_all", True):
        decayed = [weights for weights in trained if weights.dim() > 1]
        others = [weights for weights in trained if weights.dim() <= 1]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    try:
        return settings.make([group for group in groups if group["params"]])
    except ValueError as error:
        raise CrosscaleError(f"optimiser: {error}") from error


def clip_gradients(parameters: Iterable[nn.Parameter], settings: OptimiserSettings) -> None:
    """Bring the gradient of all parameters together to at most the settings' `clip_norm`."""
    limit = getattr(settings, "clip_norm", None)
    if limit is not None:
        nn.utils.clip_grad_norm_(parameters, limit)


class Schedule(Protocol):
    """The learning rate over a run."""

    def rate(self, lr: float, epoch: float, epochs: int, warmup: int) -> float:
        """The rate at a point in training, after the warm-up.

        Args:
            lr: the optimiser's.
            epoch: passes over the data so far, with a fraction within an epoch.
            epochs: of the whole run.
            warmup: how many of them the rate rose.
        """


def learning_rate(
    schedule: Schedule, lr: float, epoch: float, epochs: int, warmup: int = 0
) -> float:
    """The rate at a point in training, which first rises from zero; see `Schedule`."""
    if epoch < warmup:
        return lr * (epoch + 1e-3) / warmup
    return schedule.rate(lr, epoch, epochs, warmup)


@dataclass(frozen=True)
class Step:
    """Divide the rate by ten at each milestone.

    Attributes:
        milestones: epochs from which on the rate is a tenth of what it was.
    """

    milestones: list[int] = field(default_factory=lambda: [250])

    def rate(self, lr: float, epoch: float, epochs: int, warmup: int) -> float:
        """See `Schedule`."""
        return lr * 0.1 ** sum(epoch >= milestone for milestone in self.milestones)


@dataclass(frozen=True)
class Cosine:
    """Let the rate fall to zero along half a cosine."""

    def rate(self, lr: float, epoch: float, epochs: int, warmup: int) -> float:
        """See `Schedule`."""
        done = (epoch - warmup) / max(1, epochs - warmup)
        return lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
