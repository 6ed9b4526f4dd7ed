"""Decorrelation: two views agree, and no number of the vector is constant or a copy of another.

Source: VICReg (Bardes, Ponce and LeCun, ICLR 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, Branch, Objective, Output, StreamSpec

EPSILON = 1e-4  # under the root, whose slope at zero is infinite


@dataclass(frozen=True)
class VICRegSettings:
    """How the terms are weighed.

    Attributes:
        dim: length of the projections that are compared.
        invariance: weight of the distance between two views.
        variance: weight of what each number's deviation lacks of one.
        covariance: weight of what is shared between numbers.
    """

    dim: int = 1024
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0


class VICReg(Objective):
    """VICReg: two views alike, features decorrelated; no negatives, queue or second encoder.

    Over several processes, each takes the statistics of its own part of the batch.
    """

    Settings = VICRegSettings
    settings: VICRegSettings

    def __init__(self, streams: Sequence[StreamSpec], settings: VICRegSettings) -> None:
        super().__init__(streams, settings)
        if settings.dim < 2 or min(settings.invariance, settings.variance, settings.covariance) < 0:
            raise CrosscaleError("dim must be 2 or more, and weights 0 or more")
        branches = [stream.branch() for stream in streams]
        self.branches = nn.ModuleList(branches)
        self.projectors = nn.ModuleList(
            _projector(branch.encoder.dim, settings.dim) for branch in branches
        )

    def forward(self, batch: Batch) -> Output:
        """The sum of the streams' losses."""
        losses: list[Tensor] = []
        metrics: dict[str, Tensor] = {}
        for spec, branch, project in zip(self.streams, self.branches, self.projectors, strict=True):
            one, other = (project(branch(batch.views[name])) for name in ("first", "second"))
            loss, terms = self._compared(one.float(), other.float())
            losses.append(loss)
            metrics |= {f"{spec.name}/{term}": value.detach() for term, value in terms.items()}
            unit = functional.normalize(one.detach().float(), dim=1)
            metrics[f"{spec.name}/embedding_std"] = unit.std(dim=0, correction=0).mean()
        return Output(torch.stack(losses).sum(), metrics)

    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each stream."""
        return {
            spec.name: branch.encoder
            for spec, branch in zip(self.streams, self.branches, strict=True)
            if isinstance(branch, Branch)
        }

    def _compared(self, one: Tensor, other: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of two views' projections (N, D), and its terms."""
        terms = {
            "invariance": functional.mse_loss(one, other),
            "variance": (_lacking_deviation(one) + _lacking_deviation(other)) / 2,
            "covariance": _shared(one) + _shared(other),
        }
        loss = sum(
            (getattr(self.settings, name) * value for name, value in terms.items()),
            torch.zeros_like(terms["variance"]),
        )
        return loss, {"loss": loss, **terms}


def _projector(inputs: int, outputs: int) -> nn.Module:
    def layer(size: int) -> list[nn.Module]:
        return [nn.Linear(size, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]

    return nn.Sequential(*layer(inputs), *layer(outputs), nn.Linear(outputs, outputs))


def _lacking_deviation(vectors: Tensor) -> Tensor:
    """What the standard deviations of (N, D) lack of one, in the mean."""
    deviation = (vectors.var(dim=0, correction=0) + EPSILON).sqrt()
    return functional.relu(1 - deviation).mean()


def _shared(vectors: Tensor) -> Tensor:
    """The squares of the covariances between different numbers of (N, D), per number."""
    count, dim = vectors.shape
    centred = vectors - vectors.mean(dim=0)
    covariance = centred.T @ centred / max(1, count - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / dim
