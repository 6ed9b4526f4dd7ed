"""`python -m benchmarks`, from the root of the repository."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.growth import GROWN, Point, growth
from benchmarks.measures import MEASURES
from benchmarks.table import Bench, slower_than
from benchmarks.timing import matmul_rate
from benchmarks.works import SIZES, Row
from crosscale.errors import CrosscaleError
from crosscale.utils.files import atomic_path
from crosscale.utils.memory import keep_freed_memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for.

    Returns:
        The exit status: 1 where a ratio fell by more than a third.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure how fast everything is here, each beside a plain way of doing it in "
        "the same run.",
        epilog="example: python -m benchmarks --size small --what training reading",
    )
    parser.add_argument("--what", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument(
        "--size", choices=SIZES, default="full", help="full (default) takes minutes, small one"
    )
    parser.add_argument(
        "--grow",
        action="store_true",
        help="measure instead how a training step grows with clips, frames, joints, bodies, scales "
        "and queue",
    )
    parser.add_argument("--out", type=Path, metavar="JSON", help="a file to write")
    parser.add_argument(
        "--floor",
        type=Path,
        metavar="JSON",
        help="an earlier run's file: fail where a ratio fell by more than a third",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    given = parser.parse_args(arguments)
    keep_freed_memory()  # as the commands do
    device = torch.device(given.device)
    if given.grow:
        _grow(device, given.out)
        return 0
    measured = _measure(given.what, given.size, device)
    if given.out is not None:
        measured.write(given.out)
    try:
        slower = [] if given.floor is None else slower_than(measured, given.floor)
    except CrosscaleError as error:
        parser.error(str(error))
    for told in slower:
        print(f"slower than {given.floor} allows: {told}", file=sys.stderr)
    return 1 if slower else 0


def _measure(what: Iterable[str], size: str, device: torch.device) -> Bench:
    console = Console()
    multiply = matmul_rate(device)
    rows: list[Row] = []
    for name in what:
        with console.status(f"measuring {name}"):
            rows += MEASURES[name](SIZES[size], device, multiply)
    measured = Bench(size, device.type, torch.get_num_threads(), multiply, rows)
    console.print(measured.table())
    for row in rows:
        console.print(f"{row.work}: compared with {row.against}", style="dim", highlight=False)
    return measured


def _grow(device: torch.device, out: Path | None) -> None:
    console = Console()
    with console.status("measuring growth"):
        points: list[Point] = list(growth(device))
    table = Table("grown", "to", "ms a step", "times", title="a training step of one scale")
    for point in points:
        cells = (f"{point.value:,}", f"{1000 * point.seconds:,.0f}", f"{point.times:.1f}")
        table.add_row(point.grown, *cells, end_section=point.value == GROWN[point.grown][-1])
    console.print(table)
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
