"""Sources: where the clips of a step come from.

One of one's own is a class in one file, trained by `--source my_file:MySource`: it numbers its
clips, says which of them an epoch passes over, and gives them when they are asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipSource, ClipTensors, Preprocess, StoredClips
from crosscale.utils.registry import Registry

SOURCES = Registry(
    "source",
    "crosscale.sources",
    {
        "store": "crosscale.training.sources:StoreSource",
        "mixed": "crosscale.training.mixed:MixedSource",
    },
    base="Source",
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

    def begin_with(self, start: Callable[[], TrainedEncoders | None]) -> None:
        """Be told what the run starts from, before anything is taken.

        Args:
            start: loads the encoders, if there are any.
        """

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

        Recordings are the same for every view, unless the source lets others stand in for them. A
        source that can perform one motion several times gives another performance for each.

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
            remedy = "say --source mixed for several" if stores else "name one with --data"
            raise CrosscaleError(f"source store trains on one store, not {len(stores)}: {remedy}")
        (self.store,) = stores
        self.rows = split(self.store, protocol).train
        self.clips: ClipSource = StoredClips(self.store, self.rows, preprocess)
        if device.type != "cpu":
            whole = self.clips.take(torch.arange(len(self.rows)))
            self.clips = ClipTensors(whole.coordinates.to(device), whole.body_mask)
        self.layout, self.classes = self.store.layout, self.store.classes
        self.title = self.store.name
        self.paths = (self.store.path,)
        self.names = [self.store.names[row] for row in self.rows]
        self.labels = torch.from_numpy(self.store.labels[self.rows]).to(device)

    def take(self, clips: Tensor, views: Sequence[str], seed: int) -> dict[str, ClipTensors]:
        """The same clips for every view."""
        return dict.fromkeys(views, self.clips.take(clips))
