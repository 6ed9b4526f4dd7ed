"""Where clips to embed come from."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from crosscale.data.bodies import IMAGE_TO_Y_UP, refuse_confidence, with_gaps_filled
from crosscale.data.clip import Clip
from crosscale.data.conversion import CoordinateSource
from crosscale.data.recordings import Recordings
from crosscale.data.store import ClipStore
from crosscale.data.store_files import is_store
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.auto import recognise
from crosscale.readers.base import fitted
from crosscale.readers.mocap.space import ADULT, doubts, measured, upward
from crosscale.readers.reading import read_all
from crosscale.skeleton.layout import PEOPLE, Layout

# What `embed` takes: a store or where it lies, recordings by their path, clips, or arrays
# (T, M, V, C) or (T, V, C).
Clips = ClipStore | str | Path | Clip | np.ndarray | Sequence[Clip] | Sequence[np.ndarray]


class NamedSource(CoordinateSource, Protocol):
    """Named clips of one layout, read part by part."""

    @property
    def names(self) -> Sequence[str]:
        """(N,) how messages call the clips."""


@dataclass(frozen=True)
class InMemory:
    """Clips of one layout that are in memory whole.

    Attributes:
        names: (N,) how messages call them.
        layout: of their joints.
        whole: their coordinates, N clips.
    """

    names: tuple[str, ...]
    layout: Layout
    whole: Recordings

    @classmethod
    def of(cls, clips: Sequence[Clip], layout: Layout) -> "InMemory":
        """Clips whose joints are those of `layout`; bodies that no frame shows are left out.

        Raises:
            CrosscaleError: naming the clip that has another number of joints.
        """
        joints = len(layout.joints)
        for clip in clips:
            if clip.coordinates.shape[2] != joints:
                raise CrosscaleError(
                    f"{clip.name} has {clip.coordinates.shape[2]} joints, layout {layout.name} has "
                    f"{joints}; say which layout the clips have"
                )
        sizes = sorted({clip.coordinates.shape[3] for clip in clips})
        if len(sizes) > 1:
            raise CrosscaleError(f"clips have {sizes} coordinates a joint; all need as many")
        shown = [clip.coordinates[:, clip.present.any(axis=0)] for clip in clips]
        return cls(tuple(clip.name for clip in clips), layout, Recordings.of(shown, joints))

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The clips at `indices`, in that order."""
        return self.whole.part(np.asarray(indices, np.int64))


def open_source(clips: Clips, layout: Layout | str | None, usual: Layout) -> NamedSource:
    """What `embed` takes, as a source.

    Args:
        clips: a store, the path of a store or of recordings in a format that is recognised, one
            clip or array, or a list of them. An array of five dimensions is a list of clips.
        layout: of the clips, a name, a file or itself. A store has its own, and so have many
            formats of recordings.
        usual: the layout of clips that are in memory, where none is given.

    Raises:
        CrosscaleError: when the clips do not have the layout's joints, or the path leads nowhere.
        BadClip: when an array is no clip, see `Clip`, or a recording cannot be read.
    """
    if isinstance(clips, str | Path):
        path = Path(clips)
        if not is_store(path):
            return _recorded(path, layout)
        clips = ClipStore.open(path)
    if isinstance(clips, ClipStore):
        return clips
    is_one = isinstance(clips, Clip) or (isinstance(clips, np.ndarray) and clips.ndim < 5)
    listed = cast(Sequence[Clip | np.ndarray], [clips] if is_one else clips)
    own = Layout.of(layout or usual)
    source = InMemory.of([_as_clip(i, clip, own) for i, clip in enumerate(listed)], own)
    bare = [not isinstance(clip, Clip) for clip in listed]
    if not any(bare) or PEOPLE not in own.scales:  # of none, of clips, of animals
        return source
    measures = _measures(source)
    plane = source.whole.rows.shape[-1] == 2
    if all(bare) and plane and upward(measures) == "-y":
        warnings.warn(
            "torsos point down in most clips, as in pictures whose y points down; all clips are "
            "turned over",
            stacklevel=3,
        )
        rows = source.whole.rows * IMAGE_TO_Y_UP.astype(np.float32)
        return replace(source, whole=replace(source.whole, rows=rows))
    taken = "y up" if plane else "metres and y up"
    for doubt in doubts(measures, optional=False):
        warnings.warn(f"{doubt}; crosscale takes {taken}", stacklevel=3)
    return source


def _measures(source: InMemory) -> list[tuple[float, np.ndarray]]:
    """Height and torso of the people of each clip, see `space.measured`."""
    clips = [source.recordings([i]).alone().rows for i in range(len(source.names))]
    deep = [np.pad(rows, ((0, 0), (0, 0), (0, 3 - rows.shape[-1]))) for rows in clips]
    measures = [measured(rows[:, None], source.layout) for rows in deep]
    if clips[0].shape[-1] == 2:  # a picture's unit may be any
        measures = [(ADULT, torso) for _, torso in measures]
    return measures


def _recorded(path: Path, layout: Layout | str | None) -> InMemory:
    """Recordings of a format that is recognised."""
    reader = fitted(make_reader(recognise(path).source_format, layout=layout), path)
    items = [item for item in reader.find(path) if not item.left_out]
    clips = []
    for outcome in read_all(reader, items):
        if outcome.clip is None:
            raise BadClip(f"{outcome.reason}; `crosscale prepare` skips such recordings")
        clips.append(outcome.clip)
    return InMemory.of(clips, Layout.of(reader.layout))


def _as_clip(i: int, clip: Clip | np.ndarray, layout: Layout) -> Clip:
    """A clip of an array; joints missing for a moment are filled in, as they are of files."""
    if isinstance(clip, Clip):
        return clip
    array, name = np.asarray(clip), f"clip {i}"
    if array.ndim == 3:
        array = array[:, None]
    if array.dtype.kind in "iu" and array.shape[-1:] == (2,):  # pixels
        array = array.astype(np.float32)
    fits = array.ndim == 4 and array.shape[2] == len(layout.joints) and array.dtype.kind == "f"
    if fits:
        refuse_confidence(array, name)
    in_plane = fits and array.shape[3] == 2
    if fits and (in_plane or np.isnan(array).any()):
        return with_gaps_filled(array, layout.joints, name).clip(name)
    bodies = tuple(str(body) for body in range(array.shape[1])) if array.ndim == 4 else ()
    return Clip(name, array, bodies)
