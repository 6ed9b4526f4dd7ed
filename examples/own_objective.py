"""An objective of one's own: tell what a slow copy of the network makes of another view (BYOL).

    crosscale pretrain own/skeletonclr --objective examples/own_objective.py:Bootstrap \
        --objective.momentum 0.99 --data STORE --out RUN

There are no negatives and no queue. Source: Grill et al., "Bootstrap your own latent" (NeurIPS
2020); here one view of each clip is predicted from the other, not each from each.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, normalize

from crosscale.augment.compose import AugmentSettings
from crosscale.encoders.base import Encoder
from crosscale.objectives.base import Batch, Objective, Output, StreamSpec


@dataclass(frozen=True)
class BootstrapSettings:
    """They are options of the command line: `--objective.momentum 0.99`.

    Attributes:
        dim: length of the vectors that are compared.
        momentum: how much of the slow copy stays at each step.
        jitter: noise of the view that is predicted from, metres.
    """

    dim: int = 128
    momentum: float = 0.99
    jitter: float = 0.01


class Bootstrap(Objective):
    """Every stream by itself; their losses are averaged."""

    Settings = BootstrapSettings

    def __init__(self, streams: Sequence[StreamSpec], settings: BootstrapSettings) -> None:
        super().__init__(streams, settings)
        branches = [stream.branch() for stream in streams]  # a view to features (N, encoder.dim)
        self.kept = {stream.name: b.encoder for stream, b in zip(streams, branches, strict=True)}
        self.fast = nn.ModuleList(
            nn.Sequential(branch, head(branch.encoder.dim, settings.dim)) for branch in branches
        )
        self.slow = copy.deepcopy(self.fast).requires_grad_(False)
        self.predictors = nn.ModuleList(head(settings.dim, settings.dim) for _ in branches)

    @classmethod
    def views(
        cls, settings: BootstrapSettings, augment: AugmentSettings
    ) -> dict[str, AugmentSettings]:
        """Any number of views, each of a name and with augmentations of its own."""
        return {"noisy": replace(augment, jitter=settings.jitter), "other": augment}

    def forward(self, batch: Batch) -> Output:
        """The distance of what is predicted to what the slow copy finds."""
        losses, metrics = [], {}
        networks = zip(self.fast, self.slow, self.predictors, strict=True)
        for stream, (fast, slow, predictor) in zip(self.streams, networks, strict=True):
            found = predictor(fast(batch.views["noisy"]))  # (N, dim)
            with torch.no_grad():
                wanted = slow(batch.views["other"])
            losses.append(2 - 2 * cosine_similarity(found, wanted).mean())
            metrics[f"{stream.name}/loss"] = losses[-1].detach()
            # Where this stays at zero, all clips look alike, and the run is said to have collapsed.
            metrics[f"{stream.name}/embedding_std"] = normalize(wanted).std(dim=0).mean()
        return Output(torch.stack(losses).mean(), metrics)

    def after_step(self, progress: float) -> None:
        """The slow copy follows."""
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.fast.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.settings.momentum)

    def encoders(self) -> dict[str, Encoder]:
        """What is kept of each stream when training ends."""
        return self.kept


def head(inputs: int, outputs: int, width: int = 256) -> nn.Module:
    """Two layers; without the normalisation between them all vectors become alike."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs)
    )
