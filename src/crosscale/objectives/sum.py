"""Objectives summed by weight: all learn the same encoders, each by a head and state of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from crosscale.augment.compose import AugmentSettings, View
from crosscale.config import built, flat
from crosscale.encoders.base import BodyMaps, Encoder
from crosscale.errors import CrosscaleError
from crosscale.objectives import OBJECTIVES
from crosscale.objectives.base import Batch, Branch, Objective, Output, StreamSpec


@dataclass(frozen=True)
class SumSettings:
    """What is summed.

    Attributes:
        parts: of each objective its name, its weight (1 where it has none) and its own settings:
            `[{name: infonce}, {name: vicreg, weight: 0.04, dim: 256}]`.
    """

    parts: list[dict[str, Any]] = field(default_factory=list)


class Sum(Objective):
    """Objectives summed by weight, each with a head of its own on the same encoders.

    A view that several of them want is drawn once and, where they read it by branches, encoded
    once. The metrics of each begin with its name.
    """

    Settings = SumSettings

    def __init__(self, streams: Sequence[StreamSpec], settings: SumSettings) -> None:
        super().__init__(streams, settings)
        named = list(_parts(settings))
        self.names = [name for name, _, _, _ in named]
        self.weights = [weight for _, weight, _, _ in named]
        branches = [_SharedBranch(s.stream, s.layout, s.make_encoder()) for s in streams]
        self.parts = nn.ModuleList(
            kind([_SharedSpec.of(*pair) for pair in zip(streams, branches, strict=True)], own)
            for _, _, kind, own in named
        )
        self.key_views = tuple(view for part in self._each() for view in part.key_views)
        kept = {s.name: branch.encoder for s, branch in zip(streams, branches, strict=True)}
        for name, part in zip(self.names, self._each(), strict=True):
            if part.encoders() != kept:
                raise CrosscaleError(f"objective {name} keeps encoders that no other one can learn")

    @classmethod
    def views(cls, settings: SumSettings, augment: AugmentSettings) -> dict[str, AugmentSettings]:
        """The views of all parts; those of one name are one."""
        wanted: dict[str, AugmentSettings] = {}
        for name, _, kind, own in _parts(settings):
            for view, changes in kind.views(own, augment).items():
                if wanted.setdefault(view, changes) != changes:
                    raise CrosscaleError(f"objective {name} wants another view by the name {view}")
        return wanted

    def forward(self, batch: Batch) -> Output:
        """The weighted sum of the parts' losses."""
        seen = {name: _SeenView(*view) for name, view in batch.views.items()}
        total, metrics, mined = batch.clips.new_zeros((), dtype=torch.float32), {}, None
        for name, weight, part in zip(self.names, self.weights, self._each(), strict=True):
            output: Output = part(batch._replace(views=seen))
            total = total + weight * output.loss
            metrics[f"{name}/loss"] = output.loss.detach()
            metrics |= {f"{name}/{metric}": value for metric, value in output.metrics.items()}
            mined = mined or output.mined
        return Output(total, metrics, mined)

    def after_step(self, progress: float) -> None:
        """That of every part."""
        for part in self._each():
            part.after_step(progress)

    def encoders(self) -> dict[str, Encoder]:
        """Those of any part, which are the same."""
        return next(self._each()).encoders()

    def _each(self) -> Iterator[Objective]:
        return (cast(Objective, part) for part in self.parts)


class _SeenView(View):
    """A view that keeps what branches made of it, as long as its batch is there."""

    @cached_property
    def maps(self) -> dict[tuple[int, bool], BodyMaps]:
        """By branch, and whether gradients were wanted."""
        return {}


class _SharedBranch(Branch):
    """A branch that computes the maps of a view once."""

    def body_maps(self, view: View, token_mask: Tensor | None = None) -> BodyMaps:
        """See `Branch`."""
        if token_mask is not None or not isinstance(view, _SeenView):
            return super().body_maps(view, token_mask)
        key = id(self), torch.is_grad_enabled()
        if key not in view.maps:
            view.maps[key] = super().body_maps(view)
        return view.maps[key]


@dataclass(frozen=True)
class _SharedSpec(StreamSpec):
    """A stream whose first encoder is that of a shared branch; copies to be kept are others."""

    shared: Branch

    @classmethod
    def of(cls, spec: StreamSpec, shared: Branch) -> "_SharedSpec":
        first = iter([shared.encoder])

        def make() -> Encoder:
            return next(first, None) or spec.make_encoder()

        return cls(spec.stream, spec.layout, make, shared)

    def branch(self) -> Branch:
        """The shared branch, or one of another encoder."""
        encoder = self.make_encoder()
        shared = encoder is self.shared.encoder
        return self.shared if shared else Branch(self.stream, self.layout, encoder)


def _parts(settings: SumSettings) -> Iterator[tuple[str, float, type[Objective], Any]]:
    """Name, weight, class and settings of each objective."""
    names = [str(part.get("name", "")) for part in settings.parts]
    weights = [part.get("weight", 1.0) for part in settings.parts]
    if not all(names) or not names or len(set(names)) < len(names) or min(weights) < 0:
        raise CrosscaleError(
            "objective.parts must name one objective or more, each once and with a weight of 0 or "
            f"more, such as [{{name: infonce}}, {{name: vicreg, weight: 0.04}}], not "
            f"{settings.parts}"
        )
    for name, weight, part in zip(names, weights, settings.parts, strict=True):
        kind = OBJECTIVES.load(name)
        values = {key: value for key, value in part.items() if key not in ("name", "weight")}
        yield name, weight, kind, built(kind.Settings, flat(values))
