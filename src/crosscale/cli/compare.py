"""`crosscale compare`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from crosscale.errors import CrosscaleError
from crosscale.utils.files import only_writer
from crosscale.utils.stopping import goes_on_by_itself

if TYPE_CHECKING:
    from crosscale.evaluation.comparison.plan import Cell, Plan
    from crosscale.evaluation.comparison.results import Result


def compare(
    plan: Path, *, out: Path, tables_only: bool = False, device: str = "auto"
) -> list[Path]:
    """Train and judge methods on data sets with several seeds, and tabulate the differences.

        crosscale compare plan.yaml --out comparison

    What is finished is left alone, what was interrupted is gone on with, and what the plan says
    otherwise now is made anew. A plan has data (a store and a protocol each), methods (a recipe
    each), seeds, set (settings of all), evaluations (probes), readouts (which layers) and against
    (one of the methods, from which differences are taken).

    Args:
        plan: a YAML file with data, methods, seeds and evaluations.
        out: the folder of runs, results and tables.
        tables_only: write the tables of the results that are there.
        device: auto, cpu, cuda or mps.

    Returns:
        The tables: Markdown, CSV and HTML.
    """
    from crosscale.evaluation.comparison.cells import is_of
    from crosscale.evaluation.comparison.plan import read_plan
    from crosscale.evaluation.comparison.results import read_results

    read = read_plan(plan)
    console = Console(soft_wrap=True, highlight=False)
    if tables_only:
        found = read_results(out, read)
        if not found:
            raise CrosscaleError(f"{out} holds no result of {plan} yet; leave --tables-only out")
        written = _write(read, out, {cell: r for cell, r in found.items() if is_of(r, cell)}, found)
    else:
        written = _run(read, out, device, console)
    console.print(written[0].read_text(encoding="utf-8"), markup=False)
    console.print(f"tables: {', '.join(str(path) for path in written)}", markup=False)
    return written


def _run(plan: "Plan", out: Path, device: str, console: Console) -> list[Path]:
    from crosscale.evaluation.comparison.cells import run_cells

    written: list[Path] = []
    with only_writer(out), goes_on_by_itself():

        def say(text: str) -> None:
            console.print(text, markup=False)

        def begin(cell: "Cell", number: int, left: float | None) -> None:
            wait = "" if left is None else f"; about {_duration(left)} left"
            say(f"cell {number} of {len(plan.cells)}: {cell.title}{wait}")

        def finished(results: "Mapping[Cell, Result]") -> None:
            written[:] = _write(plan, out, results, {})

        run_cells(plan, out, device, begin=begin, finished=finished, say=say)
    return written


def _write(
    plan: "Plan", out: Path, valid: "Mapping[Cell, Result]", found: "Mapping[Cell, Result]"
) -> list[Path]:
    from crosscale.evaluation.comparison.page import write_tables
    from crosscale.evaluation.comparison.table import compare as summarise

    left_out = [cell for cell in found if cell not in valid]
    return write_tables(summarise(plan, valid, left_out), out)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
