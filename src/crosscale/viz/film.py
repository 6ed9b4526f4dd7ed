"""Films of clips side by side, as GIF or MP4."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.evaluation.plots import drawn
from crosscale.inference.tables import check_ending
from crosscale.skeleton.layout import JOINT_SCALE
from crosscale.utils.files import atomic_path
from crosscale.utils.progress import tracked
from crosscale.viz.player_clip import PlayedClip, bars, edge_sides

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ASSUMED_RATE = 30.0  # frames a second, where the rate is not known
FILM_RATE = 20.0  # frames a second of a film; a GIF's are whole hundredths of a second
SECONDS = 60.0
SIDE_COLOURS = {"l": "#1f63c8", "r": "#e0651a", "c": "#565d68"}  # as in the player
CUT_COLOUR = "#d3143c"
YAW, PITCH = np.pi - 0.45, 0.2  # where the camera stands: before the person, a little aside
PANEL = 2.7  # inches


def write_film(path: Path, clips: Sequence[PlayedClip], columns: int | None = None) -> Path:
    """Write a film of clips, each in real time; a shorter one waits at its end.

    Args:
        path: ends in .gif or .mp4.
        clips: what to show.
        columns: of the grid; None makes it about square.

    Raises:
        CrosscaleError: when the name ends otherwise, a clip takes longer than a minute, or there
            is no ffmpeg for an MP4.
    """
    kind = check_ending(path, (".gif", ".mp4"))
    settings = {"animation.ffmpeg_path": _ffmpeg(path)} if kind == ".mp4" else {}
    seconds = max(clip.recorded / (clip.rate or ASSUMED_RATE) for clip in clips)
    if seconds > SECONDS:
        raise CrosscaleError(f"{path}: a clip takes {seconds:,.0f} s, a film at most {SECONDS:.0f}")
    columns = columns or int(np.ceil(np.sqrt(len(clips))))
    rows = -(-len(clips) // columns)
    size = PANEL * columns, (PANEL + 0.3) * rows
    with drawn(*size, settings) as figure, atomic_path(path) as temporary:
        grid = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes in grid[len(clips) :]:
            axes.remove()
        panels = [_Panel(axes, clip) for axes, clip in zip(grid, clips, strict=False)]
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # nothing moves from here on, and each frame is faster
        named = temporary.with_name(temporary.name + kind)  # writers go by the name's end
        try:
            _shoot(figure, panels, round(seconds * FILM_RATE), named)
            named.replace(temporary)
        finally:
            named.unlink(missing_ok=True)
    return path


def _shoot(figure: "Figure", panels: Sequence["_Panel"], frames: int, path: Path) -> None:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    kinds = {".gif": PillowWriter, ".mp4": FFMpegWriter}
    options = {"codec": "h264"} if path.suffix == ".mp4" else {}
    writer = kinds[path.suffix](fps=FILM_RATE, **options)
    with writer.saving(figure, path, dpi=100):
        frames = max(1, frames)
        for frame in tracked(range(frames), "drawing frames", frames):
            for panel in panels:
                panel.show(frame / FILM_RATE)
            writer.grab_frame()


def _ffmpeg(path: Path) -> str:
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise CrosscaleError(
            f"{path}: an MP4 needs ffmpeg, which is not installed; "
            "pip install 'crosscale[video]', or write a .gif"
        ) from error


class _Panel:
    """One clip of a film: its lines, all frames projected once."""

    def __init__(self, axes: "Axes", clip: PlayedClip) -> None:
        from matplotlib.collections import LineCollection

        self.clip = clip
        flat = projected(clip.coordinates)  # (T, M, V, 2)
        graph = clip.layout.scale(JOINT_SCALE)
        child, parent = np.array([*bars(clip), *graph.edges]).T
        self._lines = np.stack([flat[:, :, child], flat[:, :, parent]], axis=3)  # (T, M, E, 2, 2)
        colours, styles = _looks(clip)
        bodies = flat.shape[1]
        alphas = np.repeat(np.clip(1 - 0.35 * np.arange(bodies), 0.3, 1), len(child))
        self._drawn = LineCollection(
            [],
            colors=colours * bodies,
            linestyles=styles * bodies,
            alpha=alphas,
            linewidths=2.4,
            capstyle="round",
        )
        if clip.coordinates.shape[-1] == 3:
            axes.add_collection(
                LineCollection(list(_floor(clip.coordinates)), colors="#dfe3e9", lw=0.7)
            )
        axes.add_collection(self._drawn)
        centre = (np.nanmin(flat, axis=(0, 1, 2)) + np.nanmax(flat, axis=(0, 1, 2))) / 2
        reach = 1.06 * np.nanmax(np.abs(flat - centre)) or 1.0
        around = reach * np.array([-1, 1])
        axes.set(xlim=centre[0] + around, ylim=centre[1] + around)
        axes.set(xticks=[], yticks=[], aspect="equal")
        for spine in axes.spines.values():
            spine.set(visible=True, color="#dfe3e9")
        told = " · ".join(text for text in (clip.label, clip.note) if text)
        axes.set_title("\n".join(text for text in (clip.name, told) if text), fontsize=8)

    def show(self, time: float) -> None:
        """Draw the frame of a time in seconds."""
        count = len(self._lines)
        seconds = self.clip.recorded / (self.clip.rate or ASSUMED_RATE)
        frame = min(int(time / seconds * count + 1e-9), count - 1)
        self._drawn.set_segments(self._lines[frame].reshape(-1, 2, 2))  # NaN is not drawn


def projected(x: np.ndarray) -> np.ndarray:
    """Places (..., C) as seen from before the person, (..., 2), y up; in the plane as they are."""
    if x.shape[-1] == 2:
        return x
    right = [np.cos(YAW), 0, -np.sin(YAW)]
    up = [-np.sin(YAW) * np.sin(PITCH), np.cos(PITCH), -np.cos(YAW) * np.sin(PITCH)]
    return x @ np.array([right, up], np.float32).T


def _floor(x: np.ndarray) -> np.ndarray:
    """Lines (L, 2, 2) of a grid below everything in (T, M, V, 3)."""
    low, high = np.nanmin(x, axis=(0, 1, 2)), np.nanmax(x, axis=(0, 1, 2))
    margin = 0.15 * (high - low).max()
    across, depth = (np.linspace(low[c] - margin, high[c] + margin, 7) for c in (0, 2))
    corners = np.array(
        [[(a, low[1], depth[0]), (a, low[1], depth[-1])] for a in across]
        + [[(across[0], low[1], d), (across[-1], low[1], d)] for d in depth],
        np.float32,
    )
    return projected(corners)


def _looks(clip: PlayedClip) -> tuple[list[str], list[str | tuple[float, tuple[float, float]]]]:
    """Colour and line style of each line of one body: the bars, then the edges."""
    graph = clip.layout.scale(JOINT_SCALE)
    lines = [*bars(clip), *graph.edges]
    sides = "c" * len(bars(clip)) + "".join(edge_sides(clip.layout, graph))
    cut = set(map(tuple, clip.cut.get(JOINT_SCALE, ())))
    colours = [
        CUT_COLOUR if line in cut else SIDE_COLOURS[side]
        for line, side in zip(lines, sides, strict=True)
    ]
    return colours, [(0, (0.6, 1.8)) if line in cut else "solid" for line in lines]
