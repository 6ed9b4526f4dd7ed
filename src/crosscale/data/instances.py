"""Recorded clips, and versions of them that count as clips of their own.

A clip played backwards, or with left and right exchanged, may be another action: who sits down
backwards stands up. Contrasted with the recorded clip, it asks an encoder for what tells them
apart.

Source: distributionally shifted instances as negatives (Tack et al., "CSI", NeurIPS 2020).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crosscale.data.conversion import CoordinateSource
from crosscale.data.recordings import Recordings
from crosscale.skeleton.layout import Layout

Version = Literal["reversed", "mirrored"]


@dataclass(frozen=True)
class Instances:
    """Some clips of a source in several versions, one version after the other.

    Of N clips, instance i is the recorded clip i, instance N + i the same with the first of the
    changes, 2 N + i with the second, 3 N + i with both.

    Attributes:
        source: of the recorded clips.
        rows: (N,) of the clips in the source.
        versions: the changes, all different.
    """

    source: CoordinateSource
    rows: NDArray[np.int64]
    versions: Sequence[Version] = ()

    @property
    def layout(self) -> Layout:
        """The joints of all clips."""
        return self.source.layout

    def __len__(self) -> int:
        """Number of instances."""
        return len(self.rows) << len(self.versions)

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The instances at `indices`, in that order."""
        number = np.asarray(indices, np.int64)
        found = self.source.recordings(self.rows[number % len(self.rows)].tolist())
        kind = number // len(self.rows)
        for bit, version in enumerate(self.versions):
            chosen = (kind >> bit & 1).astype(bool)
            if chosen.any():
                found = _CHANGES[version](found.alone(), chosen, self.layout)
        return found

    def named(self, names: Sequence[str]) -> list[str]:
        """The names (N,) of the recorded clips to those of all instances."""
        told = list(names)
        for version in self.versions:
            told += [f"{name} ({version})" for name in told]
        return told


def _reversed(recordings: Recordings, chosen: NDArray[np.bool_], layout: Layout) -> Recordings:
    """The `chosen` of clips that lie one after the other, played backwards."""
    clip = recordings.clip
    bodies, first = recordings.bodies[clip], recordings.first[clip]
    row = np.arange(len(clip))
    frame, body = np.divmod(row - first, bodies)
    backwards = first + (recordings.frames[clip] - 1 - frame) * bodies + body
    return replace(recordings, rows=recordings.rows[np.where(chosen[clip], backwards, row)])


def _mirrored(recordings: Recordings, chosen: NDArray[np.bool_], layout: Layout) -> Recordings:
    """The `chosen` of clips that lie one after the other, left and right exchanged."""
    rows = recordings.rows.copy()
    touched = chosen[recordings.clip]
    rows[touched] = rows[touched][:, layout.other_side]
    rows[touched, :, 0] *= -1
    return replace(recordings, rows=rows)


_CHANGES: dict[Version, Callable[[Recordings, NDArray[np.bool_], Layout], Recordings]] = {
    "reversed": _reversed,
    "mirrored": _mirrored,
}
