"""A comparison's table as Markdown, CSV and one HTML page that needs nothing beside itself."""

import csv
import io
from itertools import groupby
from pathlib import Path

import crosscale
from crosscale.evaluation.comparison.table import Column, Comparison, Cost, Difference, Figure
from crosscale.evaluation.plots import can_draw, spread_svg
from crosscale.evaluation.report import page_template
from crosscale.utils.files import atomic_path
from crosscale.utils.text import counted

ABSENT = "–"


def write_tables(comparison: Comparison, out: Path) -> list[Path]:
    """Write `table.md`, `table.csv` and `table.html` into a folder; returns their paths."""
    return write_forms(out, markdown(comparison), table_csv(comparison), html(comparison))


def write_forms(out: Path, as_markdown: str, as_csv: str, as_html: str) -> list[Path]:
    """Write a table in three forms into a folder, each whole or not at all; returns their paths."""
    texts = {"table.md": as_markdown, "table.csv": as_csv, "table.html": as_html}
    for name, text in texts.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    return [out / name for name in texts]


def markdown(comparison: Comparison) -> str:
    """The table and the differences, accuracies in per cent."""
    plan = comparison.plan
    head = ["method", *(column.title for column in comparison.columns)]
    head += [f"{data} {what}" for data in plan.data for what in ("minutes", "parameters")]
    rows = [
        [method, *(_figure(comparison.figure(method, c)) for c in comparison.columns)]
        + [text for data in plan.data for text in _cost(comparison.costs.get((method, data)))]
        for method in plan.methods
    ]
    parts = [markdown_table(head, rows), _legend()]
    if comparison.differences:
        head = ["figure", "method", f"minus {plan.against}", "95 % interval", "p", "seeds"]
        rows = [
            [column.title, method, *_difference(apart)]
            for method, column, apart in _ordered(comparison)
        ]
        parts += [markdown_table(head, rows), _tests_legend(comparison)]
    return "\n\n".join([*parts, *comparison.notes]) + "\n"


def table_csv(comparison: Comparison) -> str:
    """One row per figure and stream, values from 0 to 1; differences for headline streams."""
    head = "data method test measure stream mean deviation seeds minutes parameters"
    against = "against difference low high p"
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*head.split(), *against.split()], lineterminator="\n")
    writer.writeheader()
    for (method, column, stream), figure in comparison.figures.items():
        cost = comparison.costs[method, column.data]
        row: dict[str, object] = {
            "data": column.data,
            "method": method,
            "test": column.test,
            "measure": column.measure,
            "stream": stream,
            "mean": figure.mean,
            "deviation": figure.spread,
            "seeds": len(figure.values),
            "minutes": cost.minutes,
            "parameters": cost.parameters,
        }
        apart = comparison.differences.get((method, column))
        if apart is not None and stream == comparison.headline[method, column]:
            low, high = apart.interval or (None, None)
            row |= {"against": comparison.plan.against, "difference": apart.mean}
            row |= {"low": low, "high": high, "p": apart.p}
        writer.writerow(row)
    return buffer.getvalue()


def html(comparison: Comparison) -> str:
    """The page: the table, a plot of means and spreads, the differences."""
    plan, columns = comparison.plan, comparison.columns
    panels = {
        column.title: {
            method: [100 * value for value in figure.values.values()]
            for method in plan.methods
            if (figure := comparison.figure(method, column)) is not None
        }
        for column in columns
    }
    return page_template("compare.html.j2").render(
        comparison=comparison,
        plan=plan,
        version=crosscale.__version__,
        groups=_groups(comparison),
        figure=_figure,
        cost=_cost,
        tests={column.test for column in columns},
        legend=_legend(),
        tests_legend=_tests_legend(comparison),
        verdicts=_verdicts(comparison),
        plot=spread_svg(panels) if panels and can_draw() else None,
        differences=[
            (method, column, _difference(apart)) for method, column, apart in _ordered(comparison)
        ],
    )


def _verdicts(comparison: Comparison) -> list[str]:
    """For the first column of each data set, which method is best, and by how much."""
    plan, sentences = comparison.plan, []
    for _, columns in groupby(comparison.columns, lambda column: column.data):
        column = next(iter(columns))
        found = {m: f for m in plan.methods if (f := comparison.figure(m, column)) is not None}
        best = max(found, key=lambda method: found[method].mean)
        told = f"{column.title}: {best} is best with {100 * found[best].mean:.1f}"
        apart = comparison.differences.get((best, column))
        if apart is not None:
            points, interval, p, _ = _difference(apart)
            how = f"95 % interval {interval}, p {p}" if apart.p is not None else apart.no_test
            told += f", {points} points from {plan.against} ({how})"
        sentences.append(f"{told}.")
    return sentences


def _tests_legend(comparison: Comparison) -> str:
    """How to read the differences."""
    tested = sum(apart.p is not None for apart in comparison.differences.values())
    were = "was" if tested == 1 else "were"
    tests = f"{counted(tested, 'test')} {were} made and p is not corrected for their number"
    return (
        "Differences in percentage points, of the sum of streams or the only one, paired by seed; "
        f"p of a two-sided paired t test. {tests if tested else 'Here none could be made'}; seeds "
        "vary the training, never the clips of the test."
    )


def _legend() -> str:
    return (
        "Top-1 accuracy in per cent (mAP where it says so) of the sum of streams or the only one: "
        "mean ± standard deviation over seeds (number of seeds). Minutes of pre-training a seed; "
        "parameters of the encoders."
    )


def _groups(comparison: Comparison) -> list[dict[str, object]]:
    """The columns of each data set, with those of each test set in one group."""
    return [
        {
            "data": data,
            "tests": [
                (test, list(columns)) for test, columns in groupby(columns, lambda c: c.test)
            ],
            "width": sum(column.data == data for column in comparison.columns),
        }
        for data, columns in groupby(comparison.columns, lambda c: c.data)
    ]


def _ordered(comparison: Comparison) -> list[tuple[str, Column, Difference]]:
    """The differences in the order of the table's columns, then its rows."""
    return [
        (method, column, comparison.differences[method, column])
        for column in comparison.columns
        for method in comparison.plan.methods
        if (method, column) in comparison.differences
    ]


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return ABSENT
    spread = "" if figure.spread is None else f" ± {100 * figure.spread:.1f}"
    return f"{100 * figure.mean:.1f}{spread} ({len(figure.values)})"


def _cost(cost: Cost | None) -> tuple[str, str]:
    return (ABSENT, ABSENT) if cost is None else (f"{cost.minutes:.3g}", f"{cost.parameters:,}")


def _difference(apart: Difference) -> tuple[str, str, str, str]:
    told, seeds = f"{100 * apart.mean:+.1f}", str(apart.seeds)
    if apart.interval is None or apart.p is None:
        return told, apart.no_test, ABSENT, seeds
    low, high = (f"{100 * end:+.1f}" for end in apart.interval)
    return told, f"{low} to {high}", "< 0.001" if apart.p < 0.001 else f"{apart.p:.3f}", seeds


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """A table whose first column is words and whose others are numbers."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
