"""One page that plays clips side by side; it needs nothing beside itself."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluation.report import page_template
from crosscale.utils.files import atomic_path
from crosscale.utils.text import listed
from crosscale.viz.player_clip import PlayedClip, player_json, skeleton_json

# A page may load nothing from anywhere, whatever is in it.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
PANELS = 60
MOST_COLUMNS = 4
TOLD = 6  # classes or clips that a title names
COORDINATES = 40e6  # bytes; a browser still opens the page in a second or two


def clips_html(
    clips: Sequence[PlayedClip], title: str, about: str, columns: int | None = None
) -> str:
    """The page.

    Args:
        clips: of one layout.
        title: of the page.
        about: a sentence below it.
        columns: of the grid; None takes as many as have room.

    Raises:
        CrosscaleError: when the clips are too many, or too long together.
    """
    if len(clips) > PANELS:
        raise CrosscaleError(
            f"{len(clips)} skeletons are too many for one page: name fewer clips, so that there "
            f"are at most {PANELS}"
        )
    size = sum(clip.coordinates.nbytes for clip in clips)
    if size > COORDINATES:
        raise CrosscaleError(
            f"the clips have {size / 1e6:,.0f} MB of coordinates, too many for one page: name "
            f"fewer or shorter ones, of at most {COORDINATES / 1e6:,.0f} MB together"
        )
    cuts = any(edges for clip in clips for edges in clip.cut.values())
    several = max(clip.coordinates.shape[1] for clip in clips) > 1
    turns = any(clip.coordinates.shape[3] == 3 for clip in clips)
    data = {
        "skeleton": skeleton_json(clips[0].layout),
        "clips": [player_json(clip, skeleton=False) for clip in clips],
    }
    return page_template("view.html.j2").render(
        title=title,
        about=about,
        columns=columns or _columns(len(clips)),
        cuts=cuts,
        several=several,
        turns=turns,
        clips=data,
        policy=POLICY,
    )


def _columns(count: int) -> int:
    """At most so many side by side, so that rows are full or nearly so."""
    return count if count <= MOST_COLUMNS else 3 if count in (5, 6, 9) else MOST_COLUMNS


def view_title(store: ClipStore, clips: Sequence[PlayedClip]) -> str:
    """What is seen: the store, and the classes of its clips, or names where there are none."""
    seen = list(dict.fromkeys(clip.label or clip.name for clip in clips))
    return f"{store.title}: {listed(seen, TOLD)}"


def view_about(store: ClipStore, rows: Sequence[int], *, chosen: bool) -> str:
    """Which clips of the store are seen, and of what kind they are.

    Args:
        store: where they are.
        rows: of the clips.
        chosen: whether they were named; else they are the first ones of the first classes.
    """
    shown, held = len(rows), len(store)
    told = f"{shown} of {held:,} clips" if shown < held else f"All {held:,} clips"
    classes = len(np.unique(store.labels[store.labels >= 0]))
    if not chosen and classes:
        told += ", the first of each " + (
            f"of {shown} of the {classes} classes" if shown < classes else "class"
        )
    layout = store.layout
    space = "space" if store.coordinates(rows[0]).shape[-1] == 3 else "the plane"
    return f"{told}. Layout {layout.name}: {len(layout.joints)} joints in {space}."


def write_page(path: Path, text: str) -> Path:
    """Write a page whole or not at all; returns its path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
