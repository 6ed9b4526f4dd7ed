"""Random views of one batch of clips, each a function of a seed and its name alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from crosscale.augment.edge_cut import Cut, EdgeCut
from crosscale.augment.random import Augmentation, Part
from crosscale.augment.spatial import (
    BoneLengths,
    HideAxis,
    Jitter,
    Mask,
    Mirror,
    Rotate,
    Scale,
    Shear,
    Tilt,
)
from crosscale.augment.temporal import Blur, CropResize, PadCrop, Reverse
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import ClipTensors
from crosscale.utils.registry import Registry
from crosscale.utils.repeatable import derived_seed

# Those of this package are fields of `AugmentSettings`; others are named in `further`.
AUGMENTATIONS = Registry("augmentation", "crosscale.augmentations", base="Augmentation")


@dataclass(frozen=True)
class AugmentSettings:
    """What may happen to a view; zero or none leaves a change out.

    Attributes:
        shear: largest off-diagonal entry of the shear matrix.
        crop: share of the frames mirrored at both ends before cropping.
        rotate: largest turn about the vertical axis, degrees.
        resize: smallest and largest share of the frames that is stretched to all of them.
        scale: largest change of size, as a ratio.
        bones: largest change of each bone's length, as a ratio.
        jitter: standard deviation of noise, metres.
        posture: standard deviation of a shift of each joint for the whole clip, metres.
        mask: probability of a joint to be hidden.
        mirror: probability of a clip to have left and right exchanged.
        tilt: largest turn about any one axis, degrees.
        reverse: probability of a clip to be played backwards.
        blur: largest width of a Gaussian over time, frames.
        axis: probability of one coordinate axis to be hidden.
        cut: which edges of the graph are cut.
        further: augmentations of others, applied last, each with its strength:
            `my_file:Drift=0.1`, or the name of an installed one.
    """

    shear: float = 0.5
    crop: float = 1 / 6
    rotate: float = 0.0
    resize: tuple[float, float] | None = None
    scale: float = 0.0
    bones: float = 0.0
    jitter: float = 0.0
    posture: float = 0.0
    mask: float = 0.0
    mirror: float = 0.0
    tilt: float = 0.0
    reverse: float = 0.0
    blur: float = 0.0
    axis: float = 0.0
    cut: Cut = field(default_factory=Cut)
    further: list[str] = field(default_factory=list)


class View(NamedTuple):
    """One view of a batch.

    Attributes:
        coordinates: (N, C, T, V, M).
        edge_mask: for each scale (N or 1, V, V) to multiply onto the adjacency, None for no cut.
        body_mask: (N, M), which bodies are there.
    """

    coordinates: Tensor
    edge_mask: dict[str, Tensor | None]
    body_mask: Tensor


class Views:
    """Draws any number of views of a batch, each by its name.

    Everything follows from the seed of the call and the view's name, so a resumed run sees the
    views that it would have seen. Only a cut drawn once per run follows from `run_seed` instead.
    """

    def __init__(
        self,
        wanted: Mapping[str, AugmentSettings],
        layout: Layout,
        scales: Sequence[str],
        run_seed: int = 0,
    ) -> None:
        self.names = tuple(wanted)
        self._views = {
            name: _OneView(name, own, layout, scales, run_seed) for name, own in wanted.items()
        }

    def __call__(self, name: str, clips: ClipTensors, seed: int, part: Part | None = None) -> View:
        """The view of a name.

        Args:
            name: one of those wanted.
            clips: of a batch.
            seed: of the batch.
            part: which clips of the batch they are; all of them where it is not given.
        """
        return self._views[name](clips, seed, part)


class _OneView:
    """The augmentations of one of the views, each with its own stream of random numbers."""

    def __init__(
        self,
        name: str,
        settings: AugmentSettings,
        layout: Layout,
        scales: Sequence[str],
        run_seed: int,
    ) -> None:
        self.name = name
        self.run_seed = run_seed
        self.augmentations = _augmentations(settings, layout)
        cut = settings.cut if settings.cut.views in (name, "both") else Cut()
        self.cuts = {s: EdgeCut(cut, Stream("joint", s).graph(layout)) for s in scales}

    def __call__(self, clips: ClipTensors, seed: int, part: Part | None) -> View:
        x, final = clips.coordinates, clips.final
        if final is None or not final.all():
            for name, augmentation in self.augmentations.items():
                augmentation.seed(derived_seed(seed, f"{self.name} {name}"), part)
                x = augmentation(x)
            x = _as_deep_as(clips.coordinates, x)
        if final is not None:
            kept = final.to(x.device)[:, None, None, None, None]
            x = torch.where(kept, clips.coordinates, x)
        edge_mask = {}
        for scale, cut in self.cuts.items():
            start = self.run_seed if cut.cut.draw == "run" else seed
            own = part if cut.cut.draw == "sample" else None
            cut.seed(derived_seed(start, f"{self.name} cut {scale}"), own)
            edge_mask[scale] = cut(len(x), x.device)
        return View(x, edge_mask, clips.body_mask)


def _as_deep_as(clips: Tensor, views: Tensor) -> Tensor:
    """Views (N, C, T, V, M) of clips, without depth where the clip is in the plane."""
    kept = views.new_ones(views.shape[:2])
    kept[:, 2:] = (clips[:, 2:] != 0).flatten(1).any(dim=1, keepdim=True)
    return views * kept[:, :, None, None, None]


def _augmentations(settings: AugmentSettings, layout: Layout) -> dict[str, Augmentation]:
    """The augmentations that are wanted, in the order of their application."""
    made: dict[str, Callable[[], Augmentation]] = {
        "crop": lambda: PadCrop(settings.crop),
        "resize": lambda: CropResize(*(settings.resize or (1.0, 1.0))),
        "reverse": lambda: Reverse(settings.reverse),
        "mirror": lambda: Mirror(settings.mirror, layout.other_side),
        "bones": lambda: BoneLengths(settings.bones, layout.parents),
        "shear": lambda: Shear(settings.shear),
        "rotate": lambda: Rotate(settings.rotate),
        "tilt": lambda: Tilt(settings.tilt),
        "scale": lambda: Scale(settings.scale),
        "jitter": lambda: Jitter(settings.jitter),
        "posture": lambda: Jitter(settings.posture, held=True),
        "blur": lambda: Blur(settings.blur),
        "mask": lambda: Mask(settings.mask),
        "axis": lambda: HideAxis(settings.axis),
    }
    chosen = {name: make() for name, make in made.items() if getattr(settings, name)}
    for text in settings.further:
        name, strength = _named(text)
        chosen[name] = AUGMENTATIONS.load(name)(strength)
    return chosen


def _named(text: str) -> tuple[str, float]:
    """Name and strength of one of `further`."""
    name, _, strength = text.rpartition("=")
    try:
        return name, float(strength if name else "")
    except ValueError as error:
        raise CrosscaleError(
            f"augment.further '{text}': write NAME=STRENGTH, such as my_file:Drift=0.1"
        ) from error
