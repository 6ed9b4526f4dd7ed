"""Random views of one batch of clips, a function of a seed alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import Tensor

from crosscale.augment.edge_cut import Cut, EdgeCut
from crosscale.augment.random import Change, Part
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
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream


@dataclass(frozen=True)
class ViewSettings:
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
        mask: chance of a joint to be hidden.
        mirror: chance of a clip to have left and right exchanged.
        tilt: largest turn about any one axis, degrees.
        reverse: chance of a clip to be played backwards.
        blur: largest width of a Gaussian over time, frames.
        axis: chance of one coordinate axis to be hidden.
        cut: which edges of the graph are cut.
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


class View(NamedTuple):
    """One view of a batch.

    Attributes:
        coordinates: (N, C, T, V, M).
        edge_mask: for each scale (N or 1, V, V) to multiply onto the adjacency, None for no cut.
    """

    coordinates: Tensor
    edge_mask: dict[str, Tensor | None]


class Views:
    """Draws a query and a key view, and an extreme one where it is wanted.

    Everything follows from the seed of the call, so a resumed run sees the views that it would
    have seen. Only a cut drawn once per run follows from `run_seed` instead.
    """

    def __init__(
        self,
        settings: ViewSettings,
        layout: Layout,
        scales: Sequence[str],
        run_seed: int = 0,
        extreme: ViewSettings | None = None,
    ) -> None:
        wanted = {"query": settings, "key": settings} | ({"extreme": extreme} if extreme else {})
        self.views = tuple(
            _OneView(which, own, layout, scales, run_seed) for which, own in wanted.items()
        )

    def __call__(self, x: Tensor, seed: int, part: Part | None = None) -> tuple[View, ...]:
        """Query view, key view and extreme view of (N, C, T, V, M).

        Args:
            x: clips of a batch.
            seed: of the batch.
            part: which clips of the batch they are; all of them where it is not given.
        """
        return tuple(view(x, seed, part) for view in self.views)

    def key(self, x: Tensor, seed: int, part: Part | None = None) -> View:
        """The key view alone."""
        return self.views[1](x, seed, part)


class _OneView:
    """The changes of one of the views, each with its own stream of random numbers."""

    def __init__(
        self,
        which: str,
        settings: ViewSettings,
        layout: Layout,
        scales: Sequence[str],
        run_seed: int,
    ) -> None:
        self.which = which
        self.run_seed = run_seed
        self.changes = _changes(settings, layout)
        cut = settings.cut if settings.cut.views in (which, "both") else Cut()
        self.cuts = {s: EdgeCut(cut, Stream("joint", s).graph(layout)) for s in scales}

    def __call__(self, x: Tensor, seed: int, part: Part | None) -> View:
        n, device = len(x), x.device
        for name, change in self.changes.items():
            change.seed(derived_seed(seed, f"{self.which} {name}"), part)
            x = change(x)
        for scale, cut in self.cuts.items():
            start = self.run_seed if cut.cut.draw == "run" else seed
            own = part if cut.cut.draw == "sample" else None
            cut.seed(derived_seed(start, f"{self.which} cut {scale}"), own)
        return View(x, {scale: cut(n, device) for scale, cut in self.cuts.items()})


def _changes(settings: ViewSettings, layout: Layout) -> dict[str, Change]:
    """The changes that are wanted, in the order of their application."""
    made: dict[str, Callable[[], Change]] = {
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
    return {name: make() for name, make in made.items() if getattr(settings, name)}


def derived_seed(seed: int, name: str) -> int:
    """A seed of 63 bits for one purpose, unrelated to those of other seeds and purposes."""
    high, low = np.random.SeedSequence([seed, *name.encode()]).generate_state(2, np.uint32)
    return int(high >> 1) << 32 | int(low)
