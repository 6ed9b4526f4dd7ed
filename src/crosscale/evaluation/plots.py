"""Figures of the report, as SVG: no window system, no network, no fonts of their own.

Matplotlib is imported where a figure is drawn: pages that only play clips do without it.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from crosscale.errors import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_CLASSES = 25  # with more, names are smaller and cells have no numbers
INK = "#22262b"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: the browser finds the glyphs of any script
    "svg.hashsalt": "crosscale",
    "text.parse_math": False,  # a class may be called "$5"
    "text.color": INK,
    "axes.edgecolor": "#8a9099",
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.prop_cycle": "cycler('color', ['#1f5a94', '#c8553d', '#3b8b5a', '#8a5aa8', '#b8862b', "
    "'#4aa3a8', '#6b6f76'])",
}
# Matplotlib's of Tableau without the grey, which stands for clips without a label.
FEW_COLOURS = [
    *map(bytes.fromhex, ("1f77b4", "ff7f0e", "2ca02c", "d62728", "9467bd")),
    *map(bytes.fromhex, ("8c564b", "e377c2", "bcbd22", "17becf")),
]
NO_FIGURES = "Figures are left out, as matplotlib is not installed: pip install 'crosscale[plots]'"
Lines = dict[str, tuple[list[float], list[float]]]


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


@contextmanager
def drawn(
    width: float, height: float, settings: Mapping[Any, Any] = MappingProxyType({})
) -> "Iterator[Figure]":
    """An empty figure, to be drawn into in the style of this package.

    Args:
        width: in inches.
        height: in inches.
        settings: of matplotlib, beside those of the style.

    Raises:
        CrosscaleError: when matplotlib is not installed.
    """
    with needs("drawing figures", extra="plots"):
        import matplotlib
        from matplotlib.figure import Figure
    with matplotlib.rc_context({**STYLE, **settings}):
        yield Figure(figsize=(width, height), layout="constrained")


def confusion_svg(confusion: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Heat map of (K, K) counts, each row in per cent of its class's clips."""
    clips = confusion.sum(axis=1, keepdims=True)
    shares = 100 * confusion / np.maximum(clips, 1)  # (K, K)
    named = len(classes) <= NAMED_CLASSES
    side = min(3.2 + 0.42 * len(classes), 10.5) if named else 3.2 + 0.16 * len(classes)
    with drawn(side, side) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
        _class_ticks(axes, classes, size=9 if named else 7)
        axes.set(xlabel="answer", ylabel="true class")
        axes.tick_params(length=0)
        if named:
            _cell_numbers(axes, shares)
        bar = figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, pad=0.02)
        bar.set_label("% of the true class's clips")
        bar.outline.set_visible(False)
        return _svg(figure)


def map_svg(points: NDArray[np.float32], labels: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Scatter of (N, 2) points coloured by class, each class named at its median point."""
    named = len(classes) <= NAMED_CLASSES
    shown = np.unique(labels).tolist()
    medians = np.array([np.median(points[labels == label], axis=0) for label in shown])
    medians = _apart(medians, np.ptp(points, axis=0))
    colours = dict(zip(shown, class_colours(len(shown)), strict=True))
    with drawn(9, 6.6) as figure:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="datalim")
        for label, (x, y) in zip(shown, medians.tolist(), strict=True):
            own = points[labels == label]
            axes.scatter(own[:, 0], own[:, 1], s=24, color=colours[label], alpha=0.8, linewidths=0)
            axes.text(
                x,
                y,
                classes[label],
                ha="center",
                va="center",
                fontweight="bold",
                fontsize=9 if named else 7,
                color=tuple(0.55 * part for part in colours[label]),
                bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75},
            )
        return _svg(figure)


def curves_svg(panels: Mapping[str, Lines]) -> str:
    """One small plot per quantity, one line per stream, over epochs."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    names = dict.fromkeys(name for lines in panels.values() for name in lines)
    colours = {name: f"C{i}" for i, name in enumerate(names)}  # the same in every plot
    with drawn(max(4.2, 3.5 * columns), 2.5 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, (title, lines) in zip(grid, panels.items(), strict=False):
            for name, (x, y) in lines.items():
                marker = "o" if len(x) < 3 else None
                axes.plot(x, y, colours[name], lw=1.6, marker=marker, markersize=4, label=name)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if list(lines) != [""]:
                axes.legend(frameon=False, fontsize=8)
        return _svg(figure)


def spread_svg(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """One small plot per title: for each name its values as dots, their mean and deviation.

    The deviation is the standard deviation of a sample; a single value has none.
    """
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    names = list(dict.fromkeys(name for values in panels.values() for name in values))
    with drawn(1.4 + 3.0 * columns, (0.9 + 0.28 * len(names)) * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, (title, values) in zip(grid, panels.items(), strict=False):
            for place, name in enumerate(names):
                own = np.asarray(values.get(name, ()))
                axes.plot(own, np.full(len(own), place + 0.2), "o", color="#9aa3ad", markersize=3)
                if len(own):
                    deviation = np.std(own, ddof=1) if len(own) > 1 else None
                    axes.errorbar(own.mean(), place, xerr=deviation, fmt="C0o", capsize=3)
            axes.set_title(title)
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.5, -0.5)  # the first name on top
            axes.xaxis.get_major_locator().set_params(nbins=5)
            axes.grid(axis="x", color="#e3e6ea", linewidth=0.8)
        return _svg(figure)


def tsne(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32] | None:
    """(N, D) features -> (N, 2) map; None for fewer than four clips or features all alike."""
    if len(vectors) < 4 or np.ptp(vectors, axis=0).max() < 1e-6:
        return None
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)


def _apart(places: NDArray[np.float32], extent: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move (K, 2) names up until none lies on another, in a map of that extent."""
    width, height = 0.2 * extent[0], 0.035 * extent[1]  # about a name's size on the page
    placed = places.copy()
    order = np.argsort(places[:, 1], kind="stable").tolist()
    for i, this in enumerate(order):
        for other in order[:i]:  # from below: a name moved up may meet the next one
            beside = abs(placed[this, 0] - placed[other, 0]) < width
            if beside and abs(placed[this, 1] - placed[other, 1]) < height:
                placed[this, 1] = placed[other, 1] + height
    return placed


def _class_ticks(axes: "Axes", classes: Sequence[str], size: float) -> None:
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=60, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(places, classes, fontsize=size)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _cell_numbers(axes: "Axes", shares: NDArray[np.float64]) -> None:
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5:
            colour = "white" if share > 55 else INK
            axes.text(
                column, row, f"{share:.0f}", ha="center", va="center", fontsize=7.5, color=colour
            )


def class_colours(count: int) -> list[tuple[float, float, float]]:
    """As many colours that can be told apart, red, green and blue from 0 to 1.

    All of them stand out from white paper and from a dark page.
    """
    if count <= len(FEW_COLOURS):
        return [(red / 255, green / 255, blue / 255) for red, green, blue in FEW_COLOURS][:count]
    # Neighbours lie far apart in hue, and those of like hue differ in lightness.
    turn = np.pi * (5**0.5 - 1)
    lightness = (0.52, 0.74, 0.63) if count <= 20 else (0.52, 0.63, 0.74, 0.57, 0.69)
    return [_oklch(lightness[i % len(lightness)], 0.15, i * turn) for i in range(count)]


def _oklch(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """Red, green and blue of a colour of OKLCH, in which equal steps look equal."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    lab = np.array([lightness, a, b])
    cones = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    light = np.clip(linear @ (cones @ lab) ** 3, 0, 1)
    red, green, blue = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    ).tolist()
    return red, green, blue


def as_hex(colour: Sequence[float]) -> str:
    """Red, green and blue from 0 to 1, as pages write a colour: `#1f77b4`."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def _svg(figure: "Figure") -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # only widths are guessed without the glyph; the browser draws the text itself
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None}
        )
    return buffer.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
