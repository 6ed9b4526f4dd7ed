"""An objective of one's own: each clip against the others of its batch, as in SimCLR.

    crosscale pretrain own/skeletonclr --objective examples/own_objective.py:InBatch \
        --objective.temperature 0.2 --data STORE --out RUN

There is no queue and no second network: two views of each clip go through one network. Source:
Chen et al., "A simple framework for contrastive learning" (ICML 2020), without its negatives of the
same view.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from crosscale.encoders.base import Encoder
from crosscale.objectives.base import Batch, Objective, Output, StreamSpec
from crosscale.objectives.heads import ProjectionHead


@dataclass(frozen=True)
class Settings:
    """Its fields are options of the command line, and checked.

    Attributes:
        dim: length of the vectors that are compared.
        temperature: divides their similarities.
    """

    dim: int = 128
    temperature: float = 0.1


class InBatch(Objective):
    """Of each stream, a network and the loss of its two views."""

    Settings = Settings

    def __init__(self, streams: Sequence[StreamSpec], settings: Settings) -> None:
        super().__init__(streams, settings)
        self.branches = nn.ModuleList(stream.branch() for stream in streams)
        self.heads = nn.ModuleList(
            ProjectionHead(branch.encoder.dim, settings.dim) for branch in self.branches
        )

    def forward(self, batch: Batch) -> Output:
        """The mean loss of the streams."""
        losses, metrics = [], {}
        for stream, branch, head in zip(self.streams, self.branches, self.heads, strict=True):
            first, second = (head(branch(batch.views[view])) for view in ("first", "second"))
            similarity = first @ second.T  # (N, N), of unit vectors
            own = torch.arange(len(similarity), device=similarity.device)
            logits = similarity / self.settings.temperature
            losses.append((cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2)
            others = similarity[own[:, None] != own]
            metrics[f"{stream.name}/loss"] = losses[-1].detach()
            metrics[f"{stream.name}/pos_sim"] = similarity.diagonal().detach().mean()
            metrics[f"{stream.name}/neg_sim"] = others.detach().mean()
            metrics[f"{stream.name}/embedding_std"] = first.detach().std(dim=0).mean()
        return Output(torch.stack(losses).mean(), metrics)

    def encoders(self) -> dict[str, Encoder]:
        """What is kept: heads are not."""
        return {s.name: b.encoder for s, b in zip(self.streams, self.branches, strict=True)}
