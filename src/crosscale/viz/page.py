"""One page that plays clips side by side; it needs nothing beside itself."""

from collections.abc import Sequence
from pathlib import Path

from crosscale.errors import CrosscaleError
from crosscale.evaluation.report import page_template
from crosscale.utils.files import atomic_path
from crosscale.viz.player_clip import PlayedClip, player_json, skeleton_json

# A page may load nothing from anywhere, whatever is in it.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
PANELS = 60
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
    data = {
        "skeleton": skeleton_json(clips[0].layout),
        "clips": [player_json(clip, skeleton=False) for clip in clips],
    }
    cuts = any(edges for clip in clips for edges in clip.cut.values())
    return page_template("view.html.j2").render(
        title=title, about=about, columns=columns, cuts=cuts, clips=data, policy=POLICY
    )


def write_page(path: Path, text: str) -> Path:
    """Write a page whole or not at all; returns its path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
