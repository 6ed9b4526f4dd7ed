"""Sources: where the clips of a step come from.

One of one's own is a class in one file, trained by `--source my_file:MySource`: it numbers its
clips, says which of them an epoch passes over, and gives them when they are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from crosscale.data.conversion import in_layout
from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipSource, ClipTensors, Preprocess, StoredClips
from crosscale.utils.registry import Registry

SOURCES = Registry(
    "source",
    "crosscale.sources",
    {
        "store": "crosscale.training.sources:StoreSource",
        "mixed": "crosscale.training.sources:MixedSource",
    },
)


class Source:
    """Clips to train on, by number.

    Attributes:
        Settings: the frozen dataclass of the source's own settings.
        layout: of the clips.
        names: of the clips, (N,).
        labels: (N,), -1 where unknown: for diagnosis only, no objective sees them.
        classes: names of what the labels count.
        title: of the data, for reports.
        paths: of the stores that are read.
    """

    Settings: ClassVar[type[Any]]
    layout: Layout
    names: Sequence[str]
    labels: Tensor
    classes: Sequence[str]
    title: str
    paths: Sequence[Path] = ()

    def __init__(
        self,
        settings: Any,
        stores: Sequence[ClipStore],
        protocol: str,
        preprocess: Preprocess,
        device: torch.device,
    ) -> None:
        """Open the source.

        Args:
            settings: its own.
            stores: what `--data` names; may be none.
            protocol: whose training parts are read.
            preprocess: how clips become tensors.
            device: where the computation runs.

        Raises:
            CrosscaleError: when the stores do not fit.
        """
        raise NotImplementedError(f"{type(self).__name__} has no __init__")

    def epoch(self, seed: int) -> Tensor:
        """Numbers of the clips of an epoch, in the order in which they train."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(len(self.names), generator=generator)

    @property
    def epoch_clips(self) -> int:
        """How many clips an epoch passes over."""
        return len(self.names)

    def take(self, clips: Tensor, views: Sequence[str], seed: int) -> dict[str, ClipTensors]:
        """Clips for each view, before anything is drawn for it.

        Recordings are the same for every view. A source that can perform one motion several times
        gives another performance for each.

        Args:
            clips: numbers (K,), on the host.
            views: names of the views.
            seed: of the step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no take")


@dataclass(frozen=True)
class StoreSettings:
    """A store has no settings of its own."""


class StoreSource(Source):
    """The training part of one store.

    It is kept on a device of its own, on a processor taken batch by batch. A batch takes a
    processor milliseconds to preprocess, a step far longer; so memory need not grow with the data.
    Another device would have to wait for each batch. Which bodies are there stays on the host,
    which has to know their number before it can start a step.
    """

    Settings = StoreSettings

    def __init__(
        self,
        settings: StoreSettings,
        stores: Sequence[ClipStore],
        protocol: str,
        preprocess: Preprocess,
        device: torch.device,
    ) -> None:
        if len(stores) != 1:
            raise CrosscaleError(
                f"source store trains on one store, --data names {len(stores)}; say --source mixed"
            )
        (self.store,) = stores
        self.rows = split(self.store, protocol).train
        self.clips: ClipSource = StoredClips(self.store, self.rows, preprocess)
        if device.type != "cpu":
            whole = self.clips.take(torch.arange(len(self.rows)))
            self.clips = ClipTensors(whole.coordinates.to(device), whole.body_mask)
        self.layout, self.classes, self.title = (
            self.store.layout,
            self.store.classes,
            self.store.name,
        )
        self.paths = (self.store.path,)
        self.names = [self.store.names[row] for row in self.rows]
        self.labels = torch.from_numpy(self.store.labels[self.rows]).to(device)

    def take(self, clips: Tensor, views: Sequence[str], seed: int) -> dict[str, ClipTensors]:
        """The same clips for every view."""
        return dict.fromkeys(views, self.clips.take(clips))


@dataclass(frozen=True)
class MixedSettings:
    """How stores are mixed.

    Attributes:
        shares: of each store in an epoch, in the order of `--data`; null for as many clips of
            each as it has. They need not sum to one.
        epoch_clips: clips of an epoch; 0 for as many as all stores have.
    """

    shares: list[float] | None = None
    epoch_clips: int = 0


class MixedSource(Source):
    """The training parts of several stores, in the layout of the first.

    Labels of different stores do not mean the same, so there is no diagnosis by them.
    """

    Settings = MixedSettings

    def __init__(
        self,
        settings: MixedSettings,
        stores: Sequence[ClipStore],
        protocol: str,
        preprocess: Preprocess,
        device: torch.device,
    ) -> None:
        if not stores:
            raise CrosscaleError("source mixed needs stores: name one or more with --data")
        shares = settings.shares
        if shares is not None and (
            len(shares) != len(stores) or min(shares) < 0 or not sum(shares)
        ):
            raise CrosscaleError(
                f"source.shares {shares} must be {len(stores)} numbers of 0 or more, one a store"
            )
        self.layout = stores[0].layout
        rows = [split(store, protocol).train for store in stores]
        self.sizes = np.array([len(own) for own in rows])
        self.starts = np.cumsum([0, *self.sizes])
        self.parts = [
            StoredClips(in_layout(store, self.layout), own, preprocess)
            for store, own in zip(stores, rows, strict=True)
        ]
        self.shares, self.count = shares, settings.epoch_clips or int(self.sizes.sum())
        self.device = device
        self.classes, self.title = (), " + ".join(store.name for store in stores)
        self.paths = tuple(store.path for store in stores)
        self.names = [
            f"{store.name}/{store.names[row]}"
            for store, own in zip(stores, rows, strict=True)
            for row in own
        ]
        self.labels = torch.full((len(self.names),), -1, device=device)

    @property
    def epoch_clips(self) -> int:
        """As many as the settings say."""
        return self.count

    def epoch(self, seed: int) -> Tensor:
        """Each store's clips in its share, none twice before all of it were taken."""
        generator = torch.Generator().manual_seed(seed)
        weights = np.array(self.sizes if self.shares is None else self.shares, dtype=float)
        counts = np.floor(self.count * weights / weights.sum()).astype(int)
        counts[int(weights.argmax())] += self.count - counts.sum()
        numbers = []
        for start, size, wanted in zip(self.starts, self.sizes, counts, strict=False):
            rounds = -(-int(wanted) // max(1, int(size)))
            taken = [torch.randperm(int(size), generator=generator) for _ in range(rounds)]
            if taken:
                numbers.append(int(start) + torch.cat(taken)[: int(wanted)])
        mixed = torch.cat(numbers)
        return mixed[torch.randperm(len(mixed), generator=generator)]

    def take(self, clips: Tensor, views: Sequence[str], seed: int) -> dict[str, ClipTensors]:
        """The same clips for every view."""
        numbers = clips.numpy()
        owner = np.searchsorted(self.starts, numbers, side="right") - 1
        found: ClipTensors | None = None
        for store, part in enumerate(self.parts):
            places = np.flatnonzero(owner == store)
            if not len(places):
                continue
            own = part.take(torch.from_numpy(numbers[places] - self.starts[store]))
            if found is None:
                found = ClipTensors(
                    own.coordinates.new_zeros(len(numbers), *own.coordinates.shape[1:]),
                    own.body_mask.new_zeros(len(numbers), own.body_mask.shape[1]),
                )
            found.coordinates[places] = own.coordinates
            found.body_mask[places] = own.body_mask
        assert found is not None  # a batch has a clip
        return dict.fromkeys(views, ClipTensors(found.coordinates.to(self.device), found.body_mask))
