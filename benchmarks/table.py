"""What was measured, as a table on the screen and as JSON."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from benchmarks.works import Row
from crosscale import __version__
from crosscale.errors import CrosscaleError
from crosscale.utils.files import atomic_path

FORMAT = "crosscale bench 1"
ALLOWED = 2 / 3  # a ratio may fall by a third before it counts as slower: machines differ


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark.

    Attributes:
        size: how much work was done.
        device: where.
        threads: how many computed.
        multiply: operations a second of a 32-bit matrix multiply.
        rows: what was measured.
    """

    size: str
    device: str
    threads: int
    multiply: float
    rows: Sequence[Row]

    def to_json(self) -> str:
        """All figures, with the machine they were taken on."""
        machine = {
            "machine": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "crosscale": __version__,
        }
        return json.dumps({"format": FORMAT, **machine, **asdict(self)}, indent=1) + "\n"

    def write(self, path: Path) -> None:
        """Write the JSON, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")

    def table(self) -> Table:
        """Rates, ratios and goals."""
        title = f"{self.multiply / 1e9:.0f} GFLOP/s matrix multiply, {self.threads} threads"
        table = Table(title=f"{self.device}: {title}")
        for name in ("work", "rate", "ratio", "goal", "of multiply"):
            table.add_column(name, justify="left" if name == "work" else "right")
        for row in self.rows:
            share = "" if row.share is None else f"{100 * row.share:.0f} %"
            rate = f"{row.rate:,.0f}" if row.rate >= 100 else f"{row.rate:,.2g}"
            table.add_row(row.work, f"{rate} {row.unit}", f"{row.ratio:.1f} ×", _goal(row), share)
        return table


def slower_than(bench: Bench, earlier: Path) -> list[str]:
    """Which rows have a ratio of less than two thirds of an earlier one, in words.

    Raises:
        CrosscaleError: when the file is not one of this command's, or of another size.
    """
    try:
        told: dict[str, Any] = json.loads(earlier.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CrosscaleError(f"{earlier} cannot be read as a benchmark: {error}") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT or told["size"] != bench.size:
        raise CrosscaleError(f"{earlier} is no benchmark of size {bench.size}")
    before = {row["work"]: row["ratio"] for row in told["rows"]}
    return [
        f"{row.work}: {row.ratio:.1f} × {row.against}, before {before[row.work]:.1f} ×"
        for row in bench.rows
        if row.ratio < ALLOWED * before.get(row.work, 0.0)
    ]


def _goal(row: Row) -> str:
    if row.goal is not None:
        return f"{row.goal:g} × {'✓' if row.ratio >= row.goal else '✗'}"
    if row.goal_rate is not None:
        return f"{row.goal_rate:,.5g} {row.unit} {'✓' if row.rate >= row.goal_rate else '✗'}"
    return ""
