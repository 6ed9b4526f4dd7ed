"""`crosscale bench`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console

from crosscale.bench.table import Bench, slower_than
from crosscale.bench.timing import matmul_rate
from crosscale.bench.works import MEASURES, SIZES, Row
from crosscale.errors import CrosscaleError

What = Literal["training", "embedding", "reading", "preprocessing", "linear", "neighbours"]


def bench(
    *,
    what: list[What] | None = None,
    size: Literal["full", "small"] = "full",
    out: Path | None = None,
    floor: Path | None = None,
    device: str = "cpu",
) -> Bench:
    """Measure how fast everything is here, each beside a plain way of doing it in the same run.

    Args:
        what: which measurements, for example '[training,reading]'; all if not given.
        size: full takes minutes, small seconds.
        out: a JSON file to write.
        floor: the JSON file of an earlier run; fails where a ratio fell by more than a third.
        device: cpu or cuda.
    """
    console = Console()
    where = torch.device(device)
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
