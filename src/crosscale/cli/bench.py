"""`crosscale bench`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table

from crosscale.bench.growth import GROWN, Point, growth
from crosscale.bench.measures import MEASURES
from crosscale.bench.table import Bench, slower_than
from crosscale.bench.timing import matmul_rate
from crosscale.bench.works import SIZES, Row
from crosscale.errors import CrosscaleError
from crosscale.utils.files import atomic_path

What = Literal[
    "training", "feeding", "embedding", "reading", "preprocessing", "linear", "neighbours"
]


def bench(
    *,
    what: list[What] | None = None,
    size: Literal["full", "small"] = "full",
    grow: bool = False,
    out: Path | None = None,
    floor: Path | None = None,
    device: str = "cpu",
) -> Bench | list[Point]:
    """Measure how fast everything is here, each beside a plain way of doing it in the same run.

        crosscale bench --size small --what '[training,reading]'

    Args:
        what: which measurements, for example '[training,reading]'; all if not given.
        size: full takes minutes, small seconds.
        grow: measure instead how a training step grows with clips, frames, joints, bodies, scales
            and queue.
        out: a JSON file to write.
        floor: the JSON file of an earlier run; fails where a ratio fell by more than a third.
        device: cpu or cuda.
    """
    console = Console()
    where = torch.device(device)
    if grow:
        return _grow(console, where, out)
    multiply = matmul_rate(where)
    rows: list[Row] = []
    chosen: Sequence[str] = what or list(MEASURES)
    for name in chosen:
        with console.status(f"measuring {name}"):
            rows += list(MEASURES[name](SIZES[size], where, multiply))
    measured = Bench(size, device, torch.get_num_threads(), multiply, rows)
    console.print(measured.table())
    for row in rows:
        console.print(f"{row.work}: compared with {row.against}", style="dim", highlight=False)
    if out is not None:
        measured.write(out)
        console.print(f"figures: {out}")
    if floor is not None and (slower := slower_than(measured, floor)):
        raise CrosscaleError(f"slower than {floor} allows: {'; '.join(slower)}")
    return measured


def _grow(console: Console, device: torch.device, out: Path | None) -> list[Point]:
    with console.status("measuring growth"):
        points = list(growth(device))
    table = Table("grown", "to", "ms a step", "times", title="a training step of one scale")
    for point in points:
        cells = (f"{point.value:,}", f"{1000 * point.seconds:,.0f}", f"{point.times:.1f}")
        table.add_row(point.grown, *cells, end_section=point.value == GROWN[point.grown][-1])
    console.print(table)
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")
        console.print(f"figures: {out}")
    return points
