"""Clips as the player takes them: plain JSON, documented in `templates/player.js`."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, most_like
from crosscale.skeleton.layout import PEOPLE, Graph, Layout
from crosscale.utils.text import composed, places_of

Precision = Literal["float32", "float16"]
CLASSES = 6  # shown when no clip is named
BETWEEN = 0.5  # lengths of a line, within which a joint lies near its middle
ROOTED = 0.02  # metres: so near to the origin is the root of a body that is told about it
Edges = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class PlayedClip:
    """A clip to be shown.

    Attributes:
        name: shown as it is.
        coordinates: (T, M, V, C) float32, y up, C = 2 or 3; NaN where a body is absent.
        layout: the V joints.
        label: class name.
        note: what else to say of it, e.g. which view it is.
        rate: recorded frames per second.
        recorded: frames that were recorded, over which the T frames are evenly spread.
        cut: for each scale, the edges (node, node) cut in this view.
    """

    name: str
    coordinates: np.ndarray
    layout: Layout
    label: str | None = None
    note: str | None = None
    rate: float | None = None
    recorded: int = 0
    cut: Mapping[str, Edges] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.recorded:
            object.__setattr__(self, "recorded", len(self.coordinates))

    def thinned(self, frames: int) -> "PlayedClip":
        """The same clip in at most `frames` frames, of which one at least shows somebody."""
        count = len(self.coordinates)
        if count <= frames:
            return self
        kept = np.linspace(0, count - 1, frames).round().astype(int)
        seen = np.flatnonzero(np.isfinite(self.coordinates[..., 0, 0]).any(axis=1))
        if not np.isin(kept, seen).any():
            kept[np.abs(kept - seen[0]).argmin()] = seen[0]
        return replace(self, coordinates=self.coordinates[kept])


def grounded(coordinates: np.ndarray, layout: Layout) -> np.ndarray:
    """The same, but of a body whose root is the origin in every frame with its lowest joint at 0.

    So MediaPipe tells where joints are: without this, who squats would draw the feet up.
    """
    x = coordinates
    if x.shape[1] > 1 or x.shape[3] == 2 or not np.isfinite(x).all():
        return x
    if np.abs(x[:, :, list(layout.root)].mean(axis=2)).max() > ROOTED:
        return x
    standing = x.copy()
    standing[..., 1] -= x[..., 1].min(axis=(1, 2), keepdims=True)
    return standing


def stored_clip(store: ClipStore, row: int) -> PlayedClip:
    """A clip of a store as it was recorded, on its floor."""
    label, rate = int(store.labels[row]), float(store.column("frame_rate")[row])
    return PlayedClip(
        store.names[row],
        grounded(store.coordinates(row), store.layout),
        store.layout,
        label=store.classes[label] if label >= 0 else None,
        rate=rate if np.isfinite(rate) else None,
    )


def rows_of(store: ClipStore, names: Sequence[str]) -> list[int]:
    """Rows of the named clips, in that order; when none is named, those of `first_of_classes`.

    Raises:
        CrosscaleError: when the store has no clip of a name (the five most like it are given).
    """
    if not names:
        return first_of_classes(store)
    places = places_of(store.names)
    for name in names:
        if composed(name) not in places:
            raise CrosscaleError(
                f"{store.path} has no clip '{name}': {most_like(name, store.names)}"
            )
    return [places[composed(name)] for name in names]


def first_of_classes(store: ClipStore, classes: int = CLASSES) -> list[int]:
    """The first clip of each of the first classes that have one; without labels the first clips."""
    found, rows = np.unique(store.labels, return_index=True)
    rows = rows[found >= 0][:classes]
    return rows.tolist() if len(rows) else list(range(min(classes, len(store))))


def player_json(
    clip: PlayedClip, precision: Precision = "float32", *, skeleton: bool = True
) -> dict[str, Any]:
    """A clip as the player's JSON.

    Args:
        clip: what to show.
        precision: float32 keeps coordinates as they are; float16 halves them in size and rounds
            them to 1/2048 of the clip's half extent or better.
        skeleton: with the skeleton; without it where many clips share one, which a page adds.
    """
    x = clip.coordinates
    origin, unit = np.zeros(x.shape[-1]), 1.0
    if precision == "float16":
        low, high = np.nanmin(x, axis=(0, 1, 2)), np.nanmax(x, axis=(0, 1, 2))
        origin = (low.astype(np.float64) + high) / 2
        unit = float((high - origin).max()) or 1.0
        x = (x - origin) / unit
    values = x.astype("<f2" if precision == "float16" else "<f4").tobytes()
    told = {
        "name": clip.name,
        "label": clip.label,
        "note": clip.note,
        "dimensions": x.shape[3],
        "frames": x.shape[0],
        "recorded": clip.recorded,
        "bodies": x.shape[1],
        "rate": clip.rate,
        "type": precision,
        "origin": origin.tolist(),
        "unit": unit,
        "coordinates": base64.b64encode(values).decode(),
        "bars": bars(clip),
        "cut": {scale: [list(edge) for edge in edges] for scale, edges in clip.cut.items()},
    }
    return told | ({"skeleton": skeleton_json(clip.layout)} if skeleton else {})


def skeleton_json(layout: Layout) -> dict[str, Any]:
    """A layout as the player's JSON."""
    return {
        "name": layout.name,
        "joints": list(layout.joints),
        "scales": [
            {
                "name": name,
                "nodes": list(graph.names),
                "sides": node_sides(layout, graph),
                "edges": [list(edge) for edge in graph.edges],
                "members": [
                    [[int(joint), float(row[joint])] for joint in np.flatnonzero(row)]
                    for row in graph.pooling
                ],
            }
            for name, graph in layout.scales.items()
        ],
    }


def bars(clip: PlayedClip) -> list[tuple[int, int]]:
    """Lines between both shoulders and both hips, for eyes that look for a trunk.

    A graph is a tree: BlazePose's shoulders meet at the nose, and its hips nowhere below. Where
    there is a joint between the two, as Kinect has, they are joined already. An animal seen from
    above has no such trunk.
    """
    if PEOPLE not in clip.layout.scales:
        return []
    parents = clip.layout.parents
    found = []
    for left, right in (clip.layout.shoulders, clip.layout.hips):
        ends, above = clip.coordinates[..., [left, right], :], parents[left]
        if above == right or parents[right] == left:
            continue
        if above == parents[right]:
            away = np.linalg.norm(clip.coordinates[..., above, :] - ends.mean(axis=-2), axis=-1)
            length = np.linalg.norm(ends[..., 0, :] - ends[..., 1, :], axis=-1)
            if np.nanmedian(away) <= BETWEEN * np.nanmedian(length):
                continue
        found.append((left, right))
    return found


def edge_sides(layout: Layout, graph: Graph) -> list[str]:
    """As `node_sides`, a letter an edge: the side that either of its ends has, else `c`."""
    sides = node_sides(layout, graph)
    return [(sides[a] + sides[b]).strip("c")[:1] or "c" for a, b in graph.edges]


def node_sides(layout: Layout, graph: Graph) -> str:
    """A letter a node: `l` or `r` where it has joints of that side and not of the other, else `c`.

    Left and right are the person's own.
    """
    left, right = np.array(layout.pairs, int).reshape(-1, 2).T
    lefts = graph.pooling[:, left].any(axis=1)
    rights = graph.pooling[:, right].any(axis=1)
    return "".join(np.where(lefts & ~rights, "l", np.where(rights & ~lefts, "r", "c")).tolist())
