"""The figures of a comparison: means over seeds, and differences tested in pairs of seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from scipy.stats import ttest_rel

from crosscale.data.splits import trains_all
from crosscale.evaluation.comparison.plan import Cell, Plan
from crosscale.evaluation.comparison.results import Judged, Result

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Column:
    """What a column of figures measures, on which test set of which data set."""

    data: str
    test: str
    measure: str

    @property
    def title(self) -> str:
        """In one line."""
        return f"{self.data} {self.test.replace('_', '-')} {self.measure}"


@dataclass(frozen=True)
class Figure:
    """Values by seed, from 0 to 1."""

    values: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.values.values())

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds; None for a single one."""
        return stdev(self.values.values()) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Cost:
    """What a method takes on a data set: mean minutes of pre-training, encoders' parameters."""

    minutes: float
    parameters: int


@dataclass(frozen=True)
class Difference:
    """How much better a method is than the one it is compared with, in shares of 1.

    Attributes:
        seeds: that both have.
        mean: difference over these seeds.
        interval: that holds the true mean difference with 95 % confidence.
        p: of a paired t test; None, like `interval`, where `no_test` says why.
        no_test: why nothing was tested.
    """

    seeds: int
    mean: float
    interval: tuple[float, float] | None = None
    p: float | None = None
    no_test: str = ""


@dataclass(frozen=True)
class Comparison:
    """All figures of a comparison.

    Attributes:
        plan: what was asked for.
        columns: in the table's order.
        figures: by method, column and stream.
        headline: the stream that the table shows, by method and column.
        costs: by method and data set.
        differences: by method and column.
        notes: what a reader of the figures must know, in sentences.
        versions: of the package that made the results: commits, where they are known.
    """

    plan: Plan
    columns: tuple[Column, ...]
    figures: Mapping[tuple[str, Column, str], Figure]
    headline: Mapping[tuple[str, Column], str]
    costs: Mapping[tuple[str, str], Cost]
    differences: Mapping[tuple[str, Column], Difference]
    notes: tuple[str, ...]
    versions: tuple[str, ...]

    def figure(self, method: str, column: Column) -> Figure | None:
        """What the table shows there, None where no cell has finished."""
        stream = self.headline.get((method, column))
        return None if stream is None else self.figures[method, column, stream]


def compare(plan: Plan, results: Mapping[Cell, Result], left_out: Sequence[Cell]) -> Comparison:
    """Summarise results over seeds."""
    headline: dict[tuple[str, Column], str] = {}
    values: dict[tuple[str, Column, str], dict[int, float]] = {}
    for result in results.values():
        for label, found in _wanted(plan, result).items():
            for column, by_stream in _columns(result.data, label, found).items():
                headline[result.method, column] = found.headline
                for stream, value in by_stream.items():
                    values.setdefault((result.method, column, stream), {})[result.seed] = value
    figures = {place: Figure(by_seed) for place, by_seed in values.items()}
    shown = {place: figures[*place, stream] for place, stream in headline.items()}
    return Comparison(
        plan=plan,
        columns=_in_order(plan, [column for _, column in headline]),
        figures=figures,
        headline=headline,
        costs=_costs(results),
        differences=_differences(plan, shown),
        notes=tuple(_notes(plan, results, left_out)),
        versions=tuple(dict.fromkeys(r.commit or r.version for r in results.values())),
    )


def difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Difference | None:
    """Compare values by seed, paired by the seeds that both have; None when there are none."""
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    left, right = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
    apart = [a - b for a, b in zip(left, right, strict=True)]
    if len(seeds) == 1:
        return Difference(1, apart[0], no_test="one seed: no test")
    if max(apart) - min(apart) < 1e-9:
        return Difference(len(seeds), mean(apart), no_test="the same for all seeds: no test")
    test = ttest_rel(left, right)
    low, high = test.confidence_interval(CONFIDENCE)
    return Difference(len(seeds), mean(apart), (float(low), float(high)), float(test.pvalue))


def _wanted(plan: Plan, result: Result) -> dict[str, Judged]:
    """The evaluations that were made with the plan's settings, in its order."""
    return {
        label: result.evaluations[label]
        for label, judge in plan.judges.items()
        if label in result.evaluations and result.evaluations[label].config == judge.config
    }


def _in_order(plan: Plan, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Each column once: by data set, then test set, then measure."""
    tests = list(dict.fromkeys(column.test for column in columns))
    measures = [f"{label}{end}" for label in plan.judges for end in ("", " top-1", " mAP")]
    return tuple(
        sorted(
            set(columns),
            key=lambda c: (plan.data.index(c.data), tests.index(c.test), measures.index(c.measure)),
        )
    )


def _columns(data: str, label: str, found: Judged) -> dict[Column, dict[str, float]]:
    """The values by stream that an evaluation gives to each of its columns."""
    columns = {}
    for test, streams in found.top1.items():
        if found.precision:
            columns[Column(data, test, f"{label} mAP")] = found.precision[test]
        columns[Column(data, test, f"{label} top-1" if found.precision else label)] = streams
    return columns


def _costs(results: Mapping[Cell, Result]) -> dict[tuple[str, str], Cost]:
    together: dict[tuple[str, str], list[Result]] = {}
    for result in results.values():
        together.setdefault((result.method, result.data), []).append(result)
    return {
        place: Cost(mean(r.seconds for r in several) / 60, several[0].parameters)
        for place, several in together.items()
    }


def _differences(
    plan: Plan, figures: Mapping[tuple[str, Column], Figure]
) -> dict[tuple[str, Column], Difference]:
    found = {}
    for (method, column), figure in figures.items():
        other = figures.get((plan.against or "", column))
        if other is None or method == plan.against:
            continue
        apart = difference(figure.values, other.values)
        if apart is not None:
            found[method, column] = apart
    return found


def _notes(plan: Plan, results: Mapping[Cell, Result], left_out: Sequence[Cell]) -> list[str]:
    notes = []
    if len(results) < len(plan.cells):
        notes.append(f"{len(results)} of {len(plan.cells)} cells are finished.")
    seen = {cell.data for cell in plan.cells if trains_all(cell.recipe.protocol)}
    if seen:
        told = ", ".join(data for data in plan.data if data in seen)
        notes.append(f"On {told}, pre-training saw the clips that test, too, without labels.")
    if left_out:
        told = "; ".join(cell.title for cell in left_out)
        notes.append(f"Left out, for their results are of other settings than the plan's: {told}.")
    return notes
