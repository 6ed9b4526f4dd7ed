"""Where clips to embed come from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from crosscale.data.clip import Clip
from crosscale.data.conversion import CoordinateSource
from crosscale.data.recordings import Recordings
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout

# What `embed` takes: a store, clips, or arrays (T, M, V, C) or (T, V, C).
Clips = ClipStore | Sequence[Clip] | Sequence[np.ndarray]


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


def open_source(clips: Clips, layout: Layout) -> NamedSource:
    """What `embed` takes, as a source.

    Args:
        clips: a store, which has its own layout, or clips or arrays in the given layout.
        layout: of clips that do not say theirs.

    Raises:
        CrosscaleError: when the clips do not have the layout's joints.
        BadClip: when an array is no clip; see `Clip`.
    """
    if isinstance(clips, ClipStore):
        return clips
    if isinstance(clips, np.ndarray | Clip):
        raise CrosscaleError("embed takes a list: put a single clip in brackets, [clip]")
    listed: Iterable[Clip | np.ndarray] = clips
    return InMemory.of([_as_clip(i, clip) for i, clip in enumerate(listed)], layout)


def _as_clip(i: int, clip: Clip | np.ndarray) -> Clip:
    if isinstance(clip, Clip):
        return clip
    array = np.asarray(clip)
    if array.ndim == 3:
        array = array[:, None]
    bodies = tuple(str(body) for body in range(array.shape[1])) if array.ndim == 4 else ()
    return Clip(f"clip {i}", array, bodies)
