"""A benchmark's table as Markdown, CSV and one HTML page that needs nothing beside itself."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import crosscale
from crosscale.evaluation.comparison.benchmark import Benchmark, Ground
from crosscale.evaluation.comparison.page import markdown_table, write_forms
from crosscale.evaluation.judge import COLUMNS, MOST_AXES
from crosscale.evaluation.report import page_template

MEAN = "mean of all"


def write_benchmark(found: Benchmark, out: Path) -> list[Path]:
    """Write `table.md`, `table.csv` and `table.html` into a folder; returns their paths."""
    return write_forms(out, benchmark_markdown(found), benchmark_csv(found), benchmark_html(found))


def benchmark_markdown(found: Benchmark) -> str:
    """One table: a block of rows for each store and protocol, and for the mean of all."""
    rows = [
        [title if first else "", name, f"{found.features[name]:,}", *map(str, cells)]
        for title, block in _blocks(found)
        for first, (name, cells) in zip([True, *[False] * len(block)], block, strict=False)
    ]
    head = ["data and protocol", "features", "numbers", *COLUMNS]
    return "\n\n".join([markdown_table(head, rows), legend(found)]) + "\n"


def benchmark_html(found: Benchmark) -> str:
    """The page."""
    *blocks, last = _blocks(found)
    return page_template("benchmark.html.j2").render(
        found=found,
        version=crosscale.__version__,
        columns=COLUMNS,
        blocks=[last, *blocks],  # the mean of all first
        verdicts=_verdicts(found),
        legend=legend(found),
    )


def benchmark_csv(found: Benchmark) -> str:
    """One row a store and protocol, features and column; values are shares from 0 to 1."""
    head = "data features numbers measure top1 floor floor_top1 errors_removed low high"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head.split())
    for title, grounds in _sections(found):
        for name in _rows(found, grounds):
            for column in COLUMNS:
                floor = found.floor(column, grounds)
                row = [title, name, found.features[name], column]
                row += [found.top1(name, column, grounds), floor]
                row.append(found.top1(floor, column, grounds))
                if name in found.encoders:
                    removed = found.removed(name, column, grounds)
                    row += [removed.value, removed.low, removed.high]
                writer.writerow(row + [""] * (len(head.split()) - len(row)))
    return buffer.getvalue()


def legend(found: Benchmark) -> str:
    """How to read the table."""
    by_clip = [ground.title for ground in found.grounds if not ground.subjects]
    clips = f" (over clips for {'; '.join(by_clip)})" if by_clip else ""
    return (
        "Top-1 accuracy in per cent. All labels: ridge regression; nearest neighbour: by cosine; "
        f"few labels: mean of {found.draws} draws, each kind of features with the best of nearest "
        "neighbour, ridge on standardised features and ridge on centred unit vectors. In brackets: "
        "the share of the errors of the best features without training that an encoder removes, "
        "negative where it adds some, with its 95 % interval by paired bootstrap over subjects"
        f"{clips}. Untrained: mean of three seeds. Half-whitened: on the principal axes of the "
        f"training clips, at most {MOST_AXES}, each divided by the root of its spread."
    )


def _sections(found: Benchmark) -> Iterator[tuple[str, Sequence[Ground]]]:
    for ground in found.grounds:
        yield ground.title, [ground]
    if len(found.grounds) > 1:
        yield MEAN, found.grounds


def _rows(found: Benchmark, grounds: Sequence[Ground]) -> list[str]:
    return [name for name in found.features if found.has(name, grounds)]


@dataclass(frozen=True)
class _Cell:
    """A figure in per cent, for an encoder the share of errors removed, and whether it is best."""

    top1: str
    removed: str
    best: bool

    def __str__(self) -> str:
        return f"{self.top1} ({self.removed})" if self.removed else self.top1


def _blocks(found: Benchmark) -> Iterator[tuple[str, list[tuple[str, list[_Cell]]]]]:
    for title, grounds in _sections(found):
        names = _rows(found, grounds)
        yield title, [(n, [_cell(found, n, c, grounds) for c in COLUMNS]) for n in names]


def _cell(found: Benchmark, name: str, column: str, grounds: Sequence[Ground]) -> _Cell:
    top1 = found.top1(name, column, grounds)
    best = max(found.top1(other, column, grounds) for other in _rows(found, grounds))
    told = ""
    if name in found.encoders:
        removed = found.removed(name, column, grounds)
        value, low, high = (100 * x for x in (removed.value, removed.low, removed.high))
        told = f"{value:+.0f} %, {low:+.0f} to {high:+.0f}"
    return _Cell(f"{100 * top1:.1f}", told, top1 == best)


def _verdicts(found: Benchmark) -> list[str]:
    """For each encoder, which share of the errors of the best features without training is gone."""
    *_, (_, grounds) = _sections(found)
    sentences = []
    for name in found.encoders:
        gone = [f"{100 * found.removed(name, c, grounds).value:.0f} % ({c})" for c in COLUMNS]
        sentences.append(
            f"Of the errors of the best features without training, {name} removes "
            f"{', '.join(gone)}; less than 0 is more errors."
        )
    return sentences
