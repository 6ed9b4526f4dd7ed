"""Recordings of any sensor in one form: in space, of one body size, of the parts of the body."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from crosscale.data.recordings import Recordings
from crosscale.errors import CrosscaleError
from crosscale.skeleton.canonical import CANONICAL, canonical_pooling
from crosscale.skeleton.layout import PEOPLE, Layout

TORSO = 0.5  # metres from hips to shoulders, about that of an adult


class CoordinateSource(Protocol):
    """Clips of one layout: what preprocessing needs of a store."""

    @property
    def layout(self) -> Layout:
        """The joints of all clips."""

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The clips at `indices`, in that order."""


@dataclass(frozen=True)
class Converted:
    """A store as if it had been recorded in another, coarser layout.

    Raises:
        CrosscaleError: when the store's layout has no scale of the other one's nodes.
    """

    source: CoordinateSource
    layout: Layout

    def __post_init__(self) -> None:
        pooling(self.source.layout, self.layout)

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The clips at `indices`, in that order, brought to the layout."""
        return to_layout(self.source.recordings(indices), self.source.layout, self.layout)


def in_layout(source: CoordinateSource, wanted: Layout) -> CoordinateSource:
    """A source as an encoder of the layout `wanted` sees it.

    Raises:
        CrosscaleError: naming both layouts, when there is no way from one to the other.
    """
    if source.layout.joints == wanted.joints:
        return source
    try:
        return Converted(source, wanted)
    except CrosscaleError as error:
        people = wanted.name in (PEOPLE, CANONICAL) and PEOPLE not in source.layout.scales
        raise CrosscaleError(
            f"the recordings have layout {source.layout.name}, the encoder was trained on "
            f"{wanted.name}: {error}"
            + ("; of animals, which it does not know, learn one: docs/animals.md" if people else "")
        ) from error


def to_layout(recordings: Recordings, layout: Layout, target: Layout) -> Recordings:
    """Bring recordings to a coarser layout, in space and of one body size; copies them.

    An encoder of such a layout sees people of any sensor alike: in metres or not, tall or short.

    Args:
        recordings: (R, V, C) rows of the layout's V joints.
        layout: has a scale whose nodes are the target's joints, or for `body16` one of ten parts.
        target: such as `part10` or `body16`.

    Raises:
        CrosscaleError: when it has not.
    """
    weights = pooling(layout, target)
    sized = _to_size(_lifted(recordings.alone()), layout)
    # One product a row: one of all rows is rounded otherwise when other clips are beside them.
    return replace(sized, rows=weights @ sized.rows)


def pooling(layout: Layout, target: Layout) -> np.ndarray:
    """(P, V) float32 weights that make the target's P joints from the layout's V.

    Raises:
        CrosscaleError: when the layout has no scale of the target's joints, and is not of people or
            the target another one than the canonical body.
    """
    if target.name == CANONICAL and PEOPLE in layout.scales:
        return canonical_pooling(layout)
    graph = layout.scales.get(target.name)
    if graph is None or set(graph.names) != set(target.joints):
        raise CrosscaleError(
            f"layout {layout.name} cannot be brought to {target.name}: it needs a scale "
            f"{target.name} of the parts {', '.join(target.joints)}"
        )
    order = [graph.names.index(name) for name in target.joints]
    return graph.pooling[order].astype(np.float32)


def in_space(recordings: Recordings, layout: Layout) -> Recordings:
    """Recordings of C = 3 as they are; those of the plane at z = 0 and of one body size."""
    if recordings.rows.shape[-1] == 3:
        return recordings
    return _to_size(_lifted(recordings.alone()), layout)


def _lifted(recordings: Recordings) -> Recordings:
    rows = recordings.rows
    level = rows[..., :1] * 0  # an absent body stays NaN
    return replace(recordings, rows=np.concatenate([rows, level], -1)[..., :3])


def _to_size(recordings: Recordings, layout: Layout) -> Recordings:
    """Scale each clip until its torsos, median over frames and bodies, have half a metre."""
    rows = recordings.rows
    upper, lower = (rows[:, list(pair)].mean(1) for pair in (layout.shoulders, layout.hips))
    median = _medians(np.linalg.norm(upper - lower, axis=-1), recordings.clip, len(recordings))
    scale = np.divide(TORSO, median, out=np.ones_like(median), where=median > 0)
    return replace(recordings, rows=rows * scale[recordings.clip, None, None])


def _medians(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """The (lower) median of each group's numbers, NaN left out; 0 for a group without any."""
    known = np.isfinite(values)
    values, group = values[known], group[known]
    order = np.lexsort((values, group))
    count = np.bincount(group, minlength=groups)
    middle = np.cumsum(count) - count + np.maximum(count - 1, 0) // 2
    medians = np.zeros(groups, values.dtype)
    some = count > 0
    medians[some] = values[order[middle[some]]]
    return medians
