"""Masked prediction of latents: what is hidden is told as a slowly moving teacher sees it.

The student sees a part of a view, the teacher, its moving average, all of it. From the student's
maps a small head predicts the teacher's at the places that were hidden, each number with mean 0 and
variance 1 over the batch; there is no decoder. That alone makes clips ever more alike, so what the
student says of the whole other view must also find what the teacher says of this one, among those
of all clips.

Source: data2vec (Baevski et al., ICML 2022), for skeletons S-JEPA (Abdelfattah and Alahi, ECCV
2024); the features of the other view as MoCo v3 (Chen, Xie and He, ICCV 2021).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from crosscale.augment.compose import View
from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, Branch, Objective, Output, StreamSpec, deviation
from crosscale.objectives.heads import perceptron
from crosscale.objectives.masking import check_shares, drawn_mask, hidden_at

EPSILON = 1e-5  # of a variance


@dataclass(frozen=True)
class MaskedSettings:
    """What is hidden, and how it is predicted.

    Attributes:
        nodes: share of joints or parts that the student does not see.
        frames: share of the time that it does not see, in stretches of an eighth of the clip.
        momentum: how much of the teacher stays at each step at first; it rises to 1.
        hidden: width of the heads that predict.
        whole: weight of finding a clip again by its other view; 0 for places alone.
        temperature: by which similarities of features are divided.
    """

    nodes: float = 0.3
    frames: float = 0.4
    momentum: float = 0.99
    hidden: int = 512
    whole: float = 1.0
    temperature: float = 0.1


class Masked(Objective):
    """Masked latent prediction: what is hidden is predicted as a moving average sees it.

    Over several processes, each takes the statistics of its own part of the batch.
    """

    Settings = MaskedSettings
    settings: MaskedSettings

    def __init__(self, streams: Sequence[StreamSpec], settings: MaskedSettings) -> None:
        super().__init__(streams, settings)
        check_shares(settings.nodes, settings.frames)
        if settings.hidden < 1 or settings.whole < 0 or settings.temperature <= 0:
            raise CrosscaleError("hidden must be 1 or more, whole 0 or more, temperature above 0")
        if not 0 <= settings.momentum <= 1:
            raise CrosscaleError("momentum must lie in 0 to 1")
        branches = [stream.branch() for stream in streams]
        self.students = nn.ModuleList(branches)
        self.teachers = nn.ModuleList(stream.branch() for stream in streams)
        self.teachers.load_state_dict(self.students.state_dict())
        self.teachers.requires_grad_(False)
        inner = settings.hidden
        self.at_places = nn.ModuleList(
            perceptron(b.encoder.layers[-1].dim, inner, b.encoder.layers[-1].dim) for b in branches
        )
        self.at_wholes = nn.ModuleList(
            perceptron(b.encoder.dim, inner, b.encoder.dim) for b in branches
        )

    def forward(self, batch: Batch) -> Output:
        """The mean over streams."""
        views = [batch.views[name] for name in ("first", "second")]
        losses: list[Tensor] = []
        metrics: dict[str, Tensor] = {}
        for number, spec in enumerate(self.streams):
            terms, features = self._terms(number, views)
            losses.append(terms["places"] + self.settings.whole * terms["whole"])
            terms["loss"] = losses[-1]
            metrics |= {f"{spec.name}/{term}": value.detach() for term, value in terms.items()}
            metrics[f"{spec.name}/embedding_std"] = deviation(features)
        return Output(torch.stack(losses).mean(), metrics)

    def _terms(self, number: int, views: Sequence[View]) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of a stream's loss, and the student's features (N, dim) of one view."""
        student, teacher = (cast(Branch, each[number]) for each in (self.students, self.teachers))
        first, second = views
        with torch.no_grad():
            wanted = teacher.body_maps(first)
            other = teacher.encoder.pool(wanted)
        mask = drawn_mask(first, student, self.settings.nodes, self.settings.frames)
        found = student.body_maps(first, mask)
        predicted = _by_place(self.at_places[number], found.maps)
        weight = hidden_at(mask[found.clip], wanted.maps)
        features = student(second)
        terms = {
            "places": _distance(predicted, wanted.maps, weight),
            "whole": self._contrast(self.at_wholes[number](features), other),
        }
        return terms, features

    def _contrast(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Cross entropy of finding what was wanted (N, dim) among that of all clips."""
        one, other = (
            functional.normalize(vectors, dim=1)
            for vectors in (found.float(), _standardised(wanted.float()))
        )
        own = torch.arange(len(one), device=one.device)
        return functional.cross_entropy(one @ other.T / self.settings.temperature, own)

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        """The teachers follow, slower and slower."""
        share = (1 - self.settings.momentum) * (1 + math.cos(math.pi * progress)) / 2
        for slow, fast in zip(self.teachers.parameters(), self.students.parameters(), strict=True):
            slow.lerp_(fast, share)

    def encoders(self) -> dict[str, Encoder]:
        """The student of each stream."""
        return self.encoders_of(self.students)


def _by_place(head: nn.Module, maps: Tensor) -> Tensor:
    """What a head makes of maps (B, D, V', T') at each place: the same shape."""
    vectors: Tensor = head(maps.permute(0, 2, 3, 1).flatten(0, 2))
    return vectors.view(len(maps), *maps.shape[2:], -1).permute(0, 3, 1, 2)


def _distance(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean square between maps (B, D, V', T') and what was wanted, standardised.

    Args:
        found: predictions.
        wanted: the teacher's.
        weight: of places, (B, 1, V', T').
    """
    error = (found.float() - _standardised(wanted.float())).square()
    return (error * weight).sum() / (weight.sum() * error.shape[1]).clamp(min=1e-6)


def _standardised(x: Tensor) -> Tensor:
    """Each of the D numbers of (B, D, ...) with mean 0 and variance 1 over all else."""
    others = [axis for axis in range(x.dim()) if axis != 1]
    variance, mean = torch.var_mean(x, dim=others, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + EPSILON)
