"""Stores mixed with each other, and with motion programs that are performed afresh."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscale.data.conversion import in_layout, pooling
from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.pairs import Meeting, draw_meetings, perform_together, sibling_pairs
from crosscale.synthesis.performers import perform
from crosscale.synthesis.programs import Programs, draw_programs, siblings
from crosscale.training.neighbours import Neighbours, embedded
from crosscale.training.sources import Source
from crosscale.transforms.preprocess import (
    ClipTensors,
    Preprocess,
    StoredClips,
    placed,
    seen_from,
    turn,
)
from crosscale.utils.repeatable import derived_seed

PERFORMED = "ntu25"  # the joints that performers have
PARTS = "part10"
FIRST_VIEWS = {"first", "query"}  # which show recordings themselves, whatever stands in for them


@dataclass(frozen=True)
class MixedSettings:
    """How stores and motion programs are mixed.

    Attributes:
        shares: of each store in what is recorded, in the order of `--data`; null for as many clips
            of each as it has. They need not sum to one.
        programs: share of an epoch's clips that are motion programs, drawn anew for each step; more
            of them where recordings are few, see
        passes: how often an epoch of recordings and programs takes a recording at most; programs
            make up for what is lacking. 0 for as often as the shares need.
        family: programs in a batch that differ from one of them in one thing, it included.
        neighbours: how many nearest recordings of its store each recording has, as the encoders see
            them that the run starts from; of these, one that counts it among its own nearest is
            shown in its place in every view but the first (`first`, `query`). 0 for none.
        turn: how far performances are turned from facing the camera, degrees (standard deviation).
        partners: share of programs that are performed before a second person, who faces the first
            and does the same, something else, or nothing.
        side: for encoders of the plane, from how far aside clips are seen, degrees at most, each
            view from elsewhere; null leaves them in space.
        manner: how far two performances of a program differ.
        layout: of the clips; by default that of the first store, or ten parts where there is none.
        epoch_clips: clips of an epoch; 0 for as many as all stores have.
    """

    shares: list[float] | None = None
    programs: float = 0.0
    passes: int = 0
    family: int = 2
    neighbours: int = 0
    turn: float = 15.0
    partners: float = 0.0
    side: float | None = None
    manner: Manner = field(default_factory=Manner)
    layout: str | None = None
    epoch_clips: int = 0


class MixedSource(Source):
    """The training parts of any number of stores, and motion programs that are performed afresh.

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
        _check_mixture(settings, len(stores))
        self.settings, self.preprocess, self.device = settings, preprocess, device
        own = Layout.load(settings.layout) if settings.layout else None
        self.layout = own or (stores[0].layout if stores else Layout.load(PARTS))
        rows = [split(store, protocol).train for store in stores]
        self.sizes = np.array([len(own) for own in rows], dtype=int)
        self.starts = np.cumsum([0, *self.sizes])
        self.parts = [
            StoredClips(in_layout(store, self.layout), own, preprocess)
            for store, own in zip(stores, rows, strict=True)
        ]
        count = settings.epoch_clips or int(self.sizes.sum())
        self.counts = self._shared_out(count - round(settings.programs * count))
        self.recorded = int(self.counts.sum())
        self.performed = count - self.recorded
        self.neighbours: list[Neighbours] = []
        self.stage = Stage(settings, self.layout, preprocess, device) if self.performed else None
        self.classes = ()
        titles = [store.title for store in stores] if self.recorded else []
        self.title = " + ".join([*titles, *(["motion programs"] if self.performed else [])])
        self.paths = tuple(store.path for store in stores)
        self.names = [
            f"{store.name}/{store.names[row]}"
            for store, own in zip(stores, rows, strict=True)
            for row in own
        ] + ["motion program"] * self.performed
        self.labels = torch.full((len(self.names),), -1, device=device)

    def begin_with(self, start: Callable[[], TrainedEncoders | None]) -> None:
        """Find each recording's neighbours by the encoders that the run starts from."""
        count = self.settings.neighbours
        if not count or not self.recorded:
            return
        trained = start()
        if trained is None:
            raise CrosscaleError(
                "source.neighbours are found by the encoders that a run starts from: say "
                "--start body, or --source.neighbours 0"
            )
        for part in self.parts:
            self.neighbours.append(Neighbours(embedded(trained, part.store, part.rows), count))

    @property
    def epoch_clips(self) -> int:
        """As many as the settings say."""
        return self.recorded + self.performed

    def epoch(self, seed: int) -> Tensor:
        """Each store's clips in its share, none twice before all of it were taken; programs."""
        generator = torch.Generator().manual_seed(seed)
        numbers = [int(self.starts[-1]) + torch.arange(self.performed)]
        for start, size, wanted in zip(self.starts, self.sizes, self.counts, strict=False):
            rounds = -(-int(wanted) // max(1, int(size)))
            taken = [torch.randperm(int(size), generator=generator) for _ in range(rounds)]
            if taken:
                numbers.append(int(start) + torch.cat(taken)[: int(wanted)])
        mixed = torch.cat(numbers)
        return mixed[torch.randperm(len(mixed), generator=generator)]

    def _shared_out(self, recorded: int) -> NDArray[np.int64]:
        """How many clips of each store an epoch has, of so many recordings in all."""
        if not recorded:
            return np.zeros(len(self.sizes), dtype=np.int64)
        weights = np.array(self.settings.shares or self.sizes, dtype=float)
        counts = np.floor(recorded * weights / weights.sum()).astype(np.int64)
        counts[int(weights.argmax())] += recorded - counts.sum()
        if self.settings.passes and self.settings.programs:
            return np.minimum(counts, self.settings.passes * self.sizes)
        return counts

    def take(self, clips: Tensor, views: Sequence[str], seed: int) -> dict[str, ClipTensors]:
        """Recordings, neighbours in their place in other views, and each program performed anew."""
        numbers = clips.numpy()
        owner = np.searchsorted(self.starts, numbers, side="right") - 1
        # In the order of the stores, then programs; and back to that of the batch.
        back = torch.from_numpy(np.argsort(owner, kind="stable").argsort())
        taken: dict[str, list[ClipTensors]] = {view: [] for view in views}
        for store in range(len(self.parts)):
            own = numbers[owner == store] - self.starts[store]
            if len(own):
                seen = self._seen(store, own, views, derived_seed(seed, f"recordings {own[0]}"))
                for view in views:
                    taken[view].append(seen[view])
        programs = numbers[owner == len(self.parts)]
        if self.stage is not None and len(programs):
            # Processes that share a batch have other clips, and so other programs.
            drawn = derived_seed(seed, f"programs {programs[0]}")
            performed = self.stage.perform(len(programs), views, drawn)
            for view in views:
                taken[view].append(performed[view])
        return {view: _joined(taken[view], self.device).take(back) for view in views}

    def _seen(
        self, store: int, own: NDArray[np.int64], views: Sequence[str], seed: int
    ) -> dict[str, ClipTensors]:
        """Recordings of a store as each view sees them: in space alike, but for neighbours."""
        part = self.parts[store]
        clips = dict.fromkeys(views, part.take(torch.from_numpy(own)))
        if self.neighbours:
            for view in set(views) - FIRST_VIEWS:
                others = self.neighbours[store].instead(own, derived_seed(seed, view))
                clips[view] = part.take(torch.from_numpy(others))
        if self.settings.side is None:
            return clips
        draw = Draw(seed, torch.device("cpu"))  # where recordings are
        side = draw.uniform(len(own), low=-1.0)
        angles = {view: _from_aside(side, self.settings.side, draw) for view in views}
        return {
            view: seen_from(clips[view], angle, self.layout, self.preprocess)
            for view, angle in angles.items()
        }


class Stage:
    """Where motion programs are performed, as preprocessed clips."""

    def __init__(
        self, settings: MixedSettings, layout: Layout, preprocess: Preprocess, device: torch.device
    ) -> None:
        if settings.partners and preprocess.bodies < 2:
            raise CrosscaleError("source.partners needs preprocess.bodies of 2 or more")
        self.settings, self.layout, self.preprocess = settings, layout, preprocess
        self.device = device
        seen = Layout.load(PERFORMED)
        same = seen.joints == layout.joints
        self.pooling = None if same else torch.from_numpy(pooling(seen, layout)).to(device)

    def perform(self, count: int, views: Sequence[str], seed: int) -> dict[str, ClipTensors]:
        """Performances of programs, another one for each view.

        Args:
            count: N programs, of which each is followed by its siblings.
            views: names.
            seed: of the programs; that of a performance follows from it and the view's name.
        """
        draw, family = Draw(seed, self.device), self.settings.family
        first = draw_programs(-(-count // family), draw)
        together = draw.chance(self.settings.partners, len(first))
        meeting = draw_meetings(first, draw_programs(len(first), draw), draw)
        programs, meetings = first, meeting
        for _ in range(family - 1):
            changed, met = sibling_pairs(first, siblings(first, draw), meeting, together, draw)
            programs, meetings = programs.joined(changed), meetings.joined(met)
        rows = torch.arange(count, device=self.device)
        scenes = _Scenes(
            programs.take(rows),
            meetings.take(rows),
            together.repeat(family)[:count],
            draw.uniform(count, 1, low=-1.0),
        )
        return {
            view: self._once(scenes, Draw(derived_seed(seed, view), self.device)) for view in views
        }

    def _once(self, scenes: "_Scenes", draw: Draw) -> ClipTensors:
        """A performance of each scene."""
        frames, manner = self.preprocess.frames, self.settings.manner
        alone, together = (mask.nonzero()[:, 0] for mask in (~scenes.together, scenes.together))
        parts = []
        if len(alone):
            x = perform(scenes.programs.take(alone), draw, frames, manner, self.pooling)
            parts.append(self._placed(x[:, None], scenes.side[alone], draw))
        if len(together):
            pairs = scenes.programs.take(together), scenes.meetings.take(together)
            x = perform_together(*pairs, draw, frames, manner, self.pooling)
            parts.append(self._placed(x, scenes.side[together], draw))
        back = torch.cat([alone, together]).argsort()
        return _joined(parts, self.device).take(back)

    def _placed(self, x: Tensor, side: Tensor, draw: Draw) -> ClipTensors:
        """Performances (N, B, 3, T, V) as preprocessed clips, seen from a side (N, 1)."""
        settings, bodies = self.settings, x.shape[1]
        if settings.side is not None:
            angle = _from_aside(side, settings.side, draw).repeat_interleave(bodies, 0)
            x = turn(x.flatten(0, 1), angle).unflatten(0, (-1, bodies))
            x[:, :, 2] = 0
        clips = placed(x, self.layout, self.preprocess)
        if settings.side is None:
            angle = draw.normal(len(x), 1, spread=math.radians(settings.turn))
            for body in range(clips.coordinates.shape[4]):
                clips.coordinates[..., body] = turn(clips.coordinates[..., body], angle)
        return replace(clips, final=torch.ones(len(x), dtype=torch.bool))


@dataclass(frozen=True)
class _Scenes:
    """N programs, and with whom they are performed.

    Attributes:
        programs: of the first people.
        meetings: with whom they meet, where they do.
        together: where they meet somebody, (N,).
        side: from where they are seen, from -1 to 1, (N, 1).
    """

    programs: Programs
    meetings: Meeting
    together: Tensor
    side: Tensor


def _from_aside(side: Tensor, most: float, draw: Draw) -> Tensor:
    """Angles of one view, radians, about `side` times `most` degrees."""
    own = (side + 0.35 * draw.uniform(*side.shape, low=-1.0)).clamp(-1, 1)
    return own * math.radians(most)


def _check_mixture(settings: MixedSettings, stores: int) -> None:
    shares = settings.shares
    if shares is not None and (len(shares) != stores or min(shares) < 0 or not sum(shares)):
        raise CrosscaleError(
            f"source.shares {shares} must be {stores} numbers of 0 or more, one a store"
        )
    if not 0 <= settings.programs <= 1 or settings.family < 1:
        raise CrosscaleError("source.programs must lie between 0 and 1, source.family be 1 or more")
    if min(settings.neighbours, settings.passes) < 0:
        raise CrosscaleError("source.neighbours and source.passes must be 0 or more")
    if not stores and settings.programs < 1:
        raise CrosscaleError(
            "source mixed needs stores: name one or more with --data, or say --source.programs 1"
        )
    if not stores and not settings.epoch_clips:
        raise CrosscaleError("say with --source.epoch_clips how many programs an epoch has")


def _joined(parts: Sequence[ClipTensors], device: torch.device) -> ClipTensors:
    """Clips one after the other, with the word which of them are final, if any are."""
    planes = torch.cat([part.coordinates.permute(0, 4, 1, 2, 3).to(device) for part in parts])
    body_mask = torch.cat([part.body_mask for part in parts])
    if all(part.final is None for part in parts):
        return ClipTensors(planes.permute(0, 2, 3, 4, 1), body_mask)
    final = [
        torch.zeros(len(part.body_mask), dtype=torch.bool) if part.final is None else part.final
        for part in parts
    ]
    return ClipTensors(planes.permute(0, 2, 3, 4, 1), body_mask, torch.cat(final))
