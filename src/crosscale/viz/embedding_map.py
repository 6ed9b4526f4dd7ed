"""An interactive map of embeddings: one dot a clip, which plays when it is pointed at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluation.plots import as_hex, class_colours, tsne
from crosscale.evaluation.report import page_template
from crosscale.models.model import Model
from crosscale.utils.progress import progress
from crosscale.viz.page import POLICY
from crosscale.viz.player_clip import player_json, skeleton_json, stored_clip

COORDINATES = 10e6  # bytes of a page, of which base64 makes a third more
FEWEST_FRAMES, MOST_FRAMES = 12, 48  # kept of a clip


def map_html(
    store: ClipStore,
    model: Model,
    rows: NDArray[np.int64],
    frames: int,
    parts: Split | None,
    *,
    seed: int,
    title: str,
) -> str:
    """Lay clips out by their embeddings with t-SNE and make the page.

    Args:
        store: where the clips are.
        model: embeds them.
        rows: (N,) of the clips, see `sampled`.
        frames: at most so many of each clip, see `frames_kept`.
        parts: which clips train and which test, for the marks; none where no clip tests.
        seed: of t-SNE.
        title: of the page.

    Raises:
        CrosscaleError: when there are too few clips for a map.
        BadClip: as `Model.embed`.
    """
    vectors = model.embed([store[row] for row in rows], store.layout)
    with progress("laying out the map"):
        points = tsne(vectors, seed)
    if points is None:
        raise CrosscaleError(
            f"no map of {store.path}: it takes at least 4 clips whose embeddings are not all alike"
        )
    if parts and not parts.tests:
        parts = None
    labels = store.labels[rows]
    data = {
        "skeleton": skeleton_json(store.layout),
        "classes": list(store.classes),
        "colours": _colours(labels, len(store.classes)),
        "points": _centred(points).round(5).tolist(),
        "labels": labels.tolist(),
        "parts": _parts(parts, rows),
        "clips": [_clip_json(store, row, frames) for row in rows.tolist()],
    }
    return page_template("map.html.j2").render(
        title=title,
        policy=POLICY,
        map=data,
        count=len(rows),
        of=len(store),
        streams=list(model.streams),
        frames=frames,
        marked=parts.name if parts else None,
    )


def _centred(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points (N, 2) within ±0.5."""
    low, high = points.min(axis=0), points.max(axis=0)
    centred = (points - (low + high) / 2) / max(float((high - low).max()), 1e-12)
    return centred.astype(np.float64)


def _colours(labels: NDArray[np.int64], classes: int) -> list[str]:
    """A colour a class; those that are shown can be told apart."""
    shown = np.unique(labels[labels >= 0]).tolist()
    colours = [""] * classes
    for label, colour in zip(shown, class_colours(len(shown)), strict=True):
        colours[label] = as_hex(colour)
    return colours


def sampled(count: int, most: int, seed: int) -> np.ndarray:
    """At most `most` of `count` rows, drawn at random, ascending."""
    if most < 1:
        raise CrosscaleError(f"--clips must be 4 or more, and is {most}")
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def frames_kept(store: ClipStore, rows: np.ndarray) -> int:
    """The most frames of each clip that fit into a page.

    Raises:
        CrosscaleError: when the clips do not fit with a dozen frames each.
    """
    recorded, bodies = store.column("frames")[rows], store.column("bodies")[rows]
    body = 2 * np.prod(store.coordinates(0).shape[2:])  # bytes of a body in a frame
    for frames in range(MOST_FRAMES, FEWEST_FRAMES - 1, -1):
        if (np.minimum(recorded, frames) * bodies).sum() * body <= COORDINATES:
            return frames
    fitting = int(COORDINATES / (FEWEST_FRAMES * bodies.mean() * body))
    raise CrosscaleError(f"{len(rows)} clips are too many for one page: say --clips {fitting}")


def _clip_json(store: ClipStore, row: int, frames: int) -> dict[str, Any]:
    return player_json(stored_clip(store, row).thinned(frames), "float16", skeleton=False)


def _parts(parts: Split | None, rows: np.ndarray) -> Sequence[str]:
    """`train`, `test` or nothing for each row."""
    if parts is None:
        return [""] * len(rows)
    tested = np.concatenate(list(parts.tests.values()))
    marks = np.where(
        np.isin(rows, parts.train), "train", np.where(np.isin(rows, tested), "test", "")
    )
    found: list[str] = marks.tolist()
    return found
