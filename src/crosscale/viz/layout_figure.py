"""A figure of a layout: its joints by name, and each of its scales."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crosscale.evaluation.plots import INK, as_hex, class_colours, drawn
from crosscale.evaluation.report import page_template
from crosscale.inference.tables import check_ending
from crosscale.skeleton.layout import FINE_SCALE, JOINT_SCALE, Graph, Layout
from crosscale.utils.files import atomic_path
from crosscale.viz.film import SIDE_COLOURS
from crosscale.viz.page import POLICY, write_page
from crosscale.viz.player_clip import edge_sides, node_sides

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BONE = "#c3c9d2"
HEIGHT = 6.5  # inches of a panel
NAMES = 1.4  # inches for names beside it


def write_layout(path: Path, layout: Layout, places: np.ndarray) -> Path:
    """Draw a layout into a .png or .html file.

    Args:
        path: the file; a page holds the figure and lists the joints.
        layout: what to draw.
        places: (J, 2) of the joints, y up.

    Raises:
        CrosscaleError: when the name ends otherwise.
    """
    kind = check_ending(path, (".png", ".html"))
    picture = layout_png(layout, places)
    if kind == ".html":
        return write_page(path, _page(layout, picture))
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture)
    return path


def layout_png(layout: Layout, places: np.ndarray) -> bytes:
    """The figure: first the joints, then the scales; more than three panels in rows of two."""
    scales = {name: graph for name, graph in layout.scales.items() if name != JOINT_SCALE}
    extent = np.ptp(places, axis=0) + 1e-9
    shape = HEIGHT * float(np.clip(extent[0] / extent[1], 0.35, 1.2)) + NAMES
    panels = 1 + len(scales)
    columns = 2 if panels > 3 else panels
    rows = -(-panels // columns)
    widths = [1.3 * shape, *[shape] * (columns - 1)]
    with drawn(sum(widths), rows * (HEIGHT + 0.5)) as figure:
        axes = figure.subplots(rows, columns, squeeze=False, width_ratios=widths).flatten()
        for panel in axes[panels:]:
            panel.remove()
        _draw_joints(axes[0], layout, places)
        for panel, (name, graph) in zip(axes[1:], scales.items(), strict=False):
            _draw_scale(panel, layout, name, graph, places)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def left_out(layout: Layout, graph: Graph) -> list[str]:
    """Joints of which no node of a scale is made."""
    unused = np.flatnonzero(~np.any(graph.pooling, axis=0))
    return [layout.joints[joint] for joint in unused]


def _draw_joints(axes: "Axes", layout: Layout, places: np.ndarray) -> None:
    graph = layout.scale(JOINT_SCALE)
    sides = node_sides(layout, graph)
    colours = [SIDE_COLOURS[side] for side in sides]
    _prepare(axes, f"{layout.name}: {len(layout.joints)} joints")
    _lines(axes, places, graph, [SIDE_COLOURS[s] for s in edge_sides(layout, graph)], 2.6)
    _dots(axes, places, s=46, c=colours, zorder=3, ec="white")
    _dots(axes, places[[layout.centre]], s=170, fc="none", ec=INK, lw=1.4, zorder=4)
    _name(axes, graph.names, places, sides, colours)


def _draw_scale(axes: "Axes", layout: Layout, name: str, graph: Graph, places: np.ndarray) -> None:
    nodes = graph.pooling @ places
    _prepare(axes, f"{name}: {len(graph.names)} nodes")
    _lines(axes, places, layout.scale(JOINT_SCALE), [BONE] * len(layout.edges), 1.2)
    if name == FINE_SCALE:
        sides = [SIDE_COLOURS[side] for side in node_sides(layout, graph)]
        _dots(axes, nodes, s=12, c=sides, zorder=3)
        return
    colours = np.array(class_colours(len(graph.names)))
    part = graph.pooling.argmax(axis=0)  # (J,)
    used = np.any(graph.pooling, axis=0)
    _dots(axes, places[used], s=26, c=colours[part[used]], zorder=3)
    _dots(axes, places[~used], s=26, fc="white", ec=BONE, zorder=3)
    _lines(axes, nodes, graph, [INK] * len(graph.edges), 1.6)
    _dots(axes, nodes, s=90, c=colours, marker="s", ec=INK, lw=0.8, zorder=4)
    dark = [as_hex(0.6 * colour) for colour in colours]
    _name(axes, graph.names, nodes, node_sides(layout, graph), dark)


def _name(
    axes: "Axes", names: Sequence[str], places: np.ndarray, sides: str, colours: Sequence[str]
) -> None:
    """Names beside (V, 2) places: outwards, so that they meet neither bones nor each other."""
    from matplotlib.patheffects import withStroke

    for name, place, side, colour in zip(names, places, sides, colours, strict=True):
        outwards = -1 if side == "r" else 1
        axes.annotate(
            name,
            place,
            (8 * outwards, 8 if side == "c" else 0),
            textcoords="offset points",
            ha="left" if outwards > 0 else "right",
            va="center",
            fontsize=8.5,
            color=colour,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=5,
        )


def _dots(axes: "Axes", places: np.ndarray, **look: Any) -> None:
    axes.scatter(places[:, 0], places[:, 1], **look)


def _lines(
    axes: "Axes", places: np.ndarray, graph: Graph, colours: list[str], width: float
) -> None:
    from matplotlib.collections import LineCollection

    lines = places[np.array(graph.edges)]  # (E, 2, 2)
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=width, zorder=1))


def _prepare(axes: "Axes", title: str) -> None:
    axes.set_title(title, fontweight="bold")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.2, 0.06)
    axes.set_axis_off()


def _page(layout: Layout, picture: bytes) -> str:
    other_side = layout.other_side
    sides = node_sides(layout, layout.scale(JOINT_SCALE))
    rows = [
        {
            "number": i,
            "name": joint,
            "parent": "" if i == layout.centre else layout.joints[layout.parents[i]],
            "mirror": "" if other_side[i] == i else layout.joints[other_side[i]],
            "side": {"l": "left", "r": "right", "c": "centre"}[sides[i]],
        }
        for i, joint in enumerate(layout.joints)
    ]
    return page_template("layout.html.j2").render(
        layout=layout,
        facts=layout_facts(layout),
        joints=rows,
        picture=base64.b64encode(picture).decode(),
        policy=POLICY,
    )


def layout_facts(layout: Layout) -> dict[str, str]:
    """What a layout says, as text."""
    named = layout.joints
    paired = {joint for pair in layout.pairs for joint in pair}
    alone = [joint for i, joint in enumerate(named) if i not in paired]
    both = [named[left].removeprefix("left_") for left, _ in layout.pairs]
    return {
        "joints": str(len(named)),
        "edges": str(len(layout.edges)),
        "pairs": f"{len(layout.pairs)} of left and right; without a side: {', '.join(alone)}"
        + (f"; on both sides: {', '.join(both)}" if both else ""),
        "centre": named[layout.centre],
        "root": ", ".join(named[i] for i in layout.root),
        "shoulders": ", ".join(named[i] for i in layout.shoulders),
        "hips": ", ".join(named[i] for i in layout.hips),
        "scales": ", ".join(
            f"{name} ({len(graph.names)})" for name, graph in layout.scales.items()
        ),
    }
