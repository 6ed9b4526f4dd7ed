"""Decorrelation: two views agree, and no number of the vector is constant or a copy of another.

Source: VICReg (Bardes, Ponce and LeCun, ICLR 2022); a view of which a part is hidden as in PSTL
(Zhou et al., AAAI 2023), vectors of parts and of time as in USDRL (Wang et al., AAAI 2025).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import BodyMaps, Encoder, mean_over_bodies
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, Branch, Objective, Output, StreamSpec, deviation
from crosscale.objectives.heads import perceptron
from crosscale.objectives.masking import check_shares, drawn_mask

SEGMENTS = 4  # of a clip's time, each of which has a vector
EPSILON = 1e-4  # under the root, whose slope at zero is infinite


@dataclass(frozen=True)
class VICRegSettings:
    """How the terms are weighed.

    Attributes:
        dim: length of the projections that are compared.
        invariance: weight of the distance between two views.
        variance: weight of what each number's deviation lacks of one.
        covariance: weight of what is shared between numbers.
        dense: weight of the same terms over the vectors of nodes, and over those of stretches of
            time; 0 compares whole clips only.
        nodes: share of joints or parts that are hidden in the second view.
        frames: share of the time that is hidden in the second view.
    """

    dim: int = 1024
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    dense: float = 0.0
    nodes: float = 0.0
    frames: float = 0.0


class VICReg(Objective):
    """VICReg: two views alike, features decorrelated; no negatives, queue or second encoder.

    Over several processes, each takes the statistics of its own part of the batch.
    """

    Settings = VICRegSettings
    settings: VICRegSettings

    def __init__(self, streams: Sequence[StreamSpec], settings: VICRegSettings) -> None:
        super().__init__(streams, settings)
        weights = settings.invariance, settings.variance, settings.covariance, settings.dense
        if settings.dim < 2 or min(weights) < 0:
            raise CrosscaleError("dim must be 2 or more, and weights 0 or more")
        check_shares(settings.nodes, settings.frames)
        branches = [stream.branch() for stream in streams]
        self.branches = nn.ModuleList(branches)
        self.projectors = nn.ModuleList(
            perceptron(branch.encoder.dim, *[settings.dim] * 3) for branch in branches
        )
        self.dense = nn.ModuleList(
            perceptron(branch.encoder.layers[-1].dim, *[settings.dim] * 3)
            for branch in branches
            if settings.dense
        )

    def forward(self, batch: Batch) -> Output:
        """The sum of the streams' losses."""
        losses: list[Tensor] = []
        metrics: dict[str, Tensor] = {}
        first, second = (batch.views[name] for name in ("first", "second"))
        hidden = self.settings.nodes, self.settings.frames
        for number, spec in enumerate(self.streams):
            branch, project = cast(Branch, self.branches[number]), self.projectors[number]
            mask = drawn_mask(second, branch, *hidden) if any(hidden) else None
            seen = branch.body_maps(first), branch.body_maps(second, mask)
            one, other = (project(branch.encoder.pool(maps)) for maps in seen)
            loss, terms = self._compared(one.float(), other.float())
            if self.settings.dense:
                for pair in zip(*(_dense(maps) for maps in seen), strict=True):
                    near, far = (self.dense[number](vectors).float() for vectors in pair)
                    loss = loss + self.settings.dense * self._compared(near, far)[0]
            losses.append(loss)
            terms["loss"] = loss
            metrics |= {f"{spec.name}/{term}": value.detach() for term, value in terms.items()}
            metrics[f"{spec.name}/embedding_std"] = deviation(one)
        return Output(torch.stack(losses).sum(), metrics)

    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each stream."""
        return self.encoders_of(self.branches)

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


def _dense(found: BodyMaps) -> list[Tensor]:
    """Vectors of each node of N clips (N V', D), if there are several, and of time (N S, D)."""
    maps = found.maps
    places = [functional.adaptive_avg_pool1d(maps.mean(dim=2), SEGMENTS)]
    if maps.shape[2] > 1:
        places.append(maps.mean(dim=3))
    vectors = [each.transpose(1, 2).flatten(1) for each in places]
    clips = [mean_over_bodies(each, found.clip, found.clips) for each in vectors]
    return [each.view(-1, maps.shape[1]) for each in clips]


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
