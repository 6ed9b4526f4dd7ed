"""A report's accuracies as a table for the console."""

from statistics import stdev

from rich.table import Table

from crosscale.evaluation.evaluation import Evaluation
from crosscale.evaluation.report import Report


def accuracy_table(report: Report) -> Table:
    """Top-1 of each stream on each test, and top-k where it says something, above baselines."""
    first = report.evaluations[0]
    k = first.metrics[next(iter(first.tests))][first.headline].k
    measures = ["top-1"] + [f"top-{k}"] * first.has_top_k + ["mAP"] * bool(first.precision)
    table = Table(title=f"{first.kind}, protocol {first.protocol}")
    table.add_column("stream")
    for test in first.tests:
        table.add_column(f"{test} {measures[0]}", justify="right")
        for measure in measures[1:]:
            table.add_column(measure, justify="right")
    for evaluation in report.evaluations:
        if len(report.evaluations) > 1:
            table.add_section()
            table.add_row(evaluation.title, style="bold")
        for stream in next(iter(evaluation.metrics.values())):
            cells = [cell for test in first.tests for cell in _cells(evaluation, test, stream)]
            table.add_row(stream, *cells)
    table.add_section()
    for name, top1 in report.baselines.items():
        row = [[f"{100 * top1[test]:.1f}", *("" for _ in measures[1:])] for test in first.tests]
        table.add_row(name, *(cell for cells in row for cell in cells), style="dim")
    return table


def _cells(evaluation: Evaluation, test: str, stream: str) -> list[str]:
    numbers = evaluation.metrics[test][stream]
    cells = [f"{100 * numbers.top1:.1f}"]
    draws = evaluation.draws.get(test, {}).get(stream, ())
    if len(draws) > 1:
        cells[0] += f" ± {100 * stdev(draws):.1f}"
    if evaluation.has_top_k:
        cells.append(f"{100 * numbers.top_k:.1f}")
    if evaluation.precision:
        cells.append(f"{100 * evaluation.precision[test][stream]:.1f}")
    return cells
