"""Contrast in the batch: two views of a clip are more alike than any two clips.

Source: InfoNCE with in-batch negatives, as SimCLR (Chen et al., ICML 2020), but each view is only
told apart from the other views of other clips. With motion programs, the views of a clip are
performances of one program; with several streams, its views at several scales are positives too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, Objective, Output, StreamSpec, deviation
from crosscale.objectives.heads import perceptron
from crosscale.objectives.losses import full_precision


@dataclass(frozen=True)
class InfoNCESettings:
    """How views are compared.

    Attributes:
        dim: length of the projections that are compared.
        hidden: width of the layer before them.
        temperature: by which similarities are divided.
        across: weight of pairs of different streams, which show one clip at different scales or
            in different modalities; 0 leaves streams to themselves.
    """

    dim: int = 128
    hidden: int = 512
    temperature: float = 0.1
    across: float = 1.0


class InfoNCE(Objective):
    """InfoNCE: all other clips in the batch are negatives; there is no queue and no second encoder.

    Over several processes, each contrasts its own part of the batch.
    """

    Settings = InfoNCESettings
    settings: InfoNCESettings

    def __init__(self, streams: Sequence[StreamSpec], settings: InfoNCESettings) -> None:
        super().__init__(streams, settings)
        if min(settings.dim, settings.hidden) < 1 or settings.temperature <= 0:
            raise CrosscaleError("dim and hidden must be 1 or more, temperature above 0")
        branches = [stream.branch() for stream in streams]
        self.branches = nn.ModuleList(branches)
        self.projectors = nn.ModuleList(
            perceptron(branch.encoder.dim, settings.hidden, settings.dim) for branch in branches
        )

    def forward(self, batch: Batch) -> Output:
        """The mean over streams, and over pairs of them."""
        first, second = batch.views["first"], batch.views["second"]
        ones: list[Tensor] = []
        others: list[Tensor] = []
        metrics: dict[str, Tensor] = {}
        for spec, branch, project in zip(self.streams, self.branches, self.projectors, strict=True):
            # Together, so that both views are normalised by the same statistics.
            vectors = torch.cat([branch(first), branch(second)])
            one, other = functional.normalize(project(vectors).float(), dim=1).chunk(2)
            ones.append(one)
            others.append(other)
            metrics |= self._watched(spec.name, one.detach(), other.detach())
        # In a batch that holds a clip twice, neither is a negative of the other.
        twice = batch.clips[:, None] == batch.clips
        twice.fill_diagonal_(False)
        losses = [self._loss(one, other, twice) for one, other in zip(ones, others, strict=True)]
        metrics |= {
            f"{spec.name}/loss": own.detach()
            for spec, own in zip(self.streams, losses, strict=True)
        }
        loss = torch.stack(losses).mean()
        pairs = [(i, j) for i in range(len(ones)) for j in range(len(ones)) if i != j]
        if pairs and self.settings.across:
            across = torch.stack([self._loss(ones[i], others[j], twice) for i, j in pairs]).mean()
            metrics["across/loss"] = across.detach()
            loss = loss + self.settings.across * across
        return Output(loss, metrics)

    def encoders(self) -> dict[str, Encoder]:
        """The encoder of each stream."""
        return self.encoders_of(self.branches)

    def _loss(self, one: Tensor, other: Tensor, left_out: Tensor) -> Tensor:
        """Cross entropy of finding each clip's other view (N, D), both ways.

        Pairs that are `left_out` (N, N) are not compared.
        """
        with full_precision(one):
            logits = one @ other.T / self.settings.temperature
        logits = logits.masked_fill(left_out, -torch.inf)
        own = torch.arange(len(logits), device=logits.device)
        there, back = (functional.cross_entropy(each, own) for each in (logits, logits.T))
        return (there + back) / 2

    def _watched(self, stream: str, one: Tensor, other: Tensor) -> dict[str, Tensor]:
        with full_precision(one):
            similarities = one @ other.T
        own = torch.arange(len(one), device=one.device)
        positive = similarities.diagonal().mean()
        others = (similarities.sum() - similarities.diagonal().sum()) / max(
            1, len(one) * (len(one) - 1)
        )
        return {
            f"{stream}/pos_sim": positive,
            f"{stream}/neg_sim": others,
            f"{stream}/instance_acc": (similarities.argmax(dim=1) == own).float().mean(),
            f"{stream}/embedding_std": deviation(one),
        }
