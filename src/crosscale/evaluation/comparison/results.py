"""What a finished cell found: one JSON file, written whole, refused by name when damaged."""

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import crosscale
from crosscale.errors import CrosscaleError
from crosscale.evaluation.comparison.plan import Cell, Plan
from crosscale.evaluation.evaluation import Evaluation
from crosscale.training.recipe import settings_by_name
from crosscale.utils.files import atomic_path
from crosscale.utils.formats import read_facts, with_checksum

FORMAT = "crosscale comparison result 1"


@dataclass(frozen=True)
class Judged:
    """The figures of one evaluation, all from 0 to 1.

    Attributes:
        config: settings of the evaluation.
        headline: the stream that tables show: `sum`, or the only one.
        top1: by test set, then by stream.
        precision: mean average precision, likewise, for `retrieval`.
    """

    config: dict[str, Any]
    headline: str
    top1: dict[str, dict[str, float]]
    precision: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Result:
    """A finished cell.

    Attributes:
        data: name of the data set.
        method: name of the method.
        seed: of everything random.
        recipe: every setting of the pre-training.
        store: fingerprint of the store.
        version: of the package.
        commit: of the package's git checkout, with `-dirty` where files differ; None elsewhere.
        seconds: of pre-training, without loading the data, over all its parts.
        evaluation_seconds: of embedding and all evaluations.
        clips_per_second: of pre-training.
        parameters: of the encoders, all streams together.
        evaluations: by label.
    """

    data: str
    method: str
    seed: int
    recipe: dict[str, Any]
    store: str
    version: str
    commit: str | None
    seconds: float
    evaluation_seconds: float
    clips_per_second: float
    parameters: int
    evaluations: dict[str, Judged]


def judged(evaluation: Evaluation) -> Judged:
    """What is kept of an evaluation."""
    top1 = {
        test: {stream: metrics.top1 for stream, metrics in streams.items()}
        for test, streams in evaluation.metrics.items()
    }
    return Judged(evaluation.config, evaluation.headline, top1, evaluation.precision)


def result_path(out: Path, cell: Cell) -> Path:
    """Where a cell's result lies in the comparison's folder."""
    return out / "results" / f"{cell.data}--{cell.method}--{cell.seed}.json"


def write_result(path: Path, result: Result) -> None:
    """Write a result, whole or not at all."""
    values = with_checksum({"format": FORMAT, **dataclasses.asdict(result)})
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_results(out: Path, plan: Plan) -> dict[Cell, Result]:
    """The results that are there, in the plan's order.

    Raises:
        CrosscaleError: naming a file that is damaged or no result.
    """
    paths = {cell: result_path(out, cell) for cell in plan.cells}
    return {cell: read_result(path) for cell, path in paths.items() if path.is_file()}


def read_result(path: Path) -> Result:
    """Read what `write_result` wrote.

    Raises:
        CrosscaleError: naming a file that is damaged or no result.
    """
    remedy = "delete it and its cell is judged anew"
    values = read_facts(path, FORMAT, "result of a comparison", remedy)
    del values["format"]
    try:
        values["evaluations"] = {
            label: _checked(Judged(**found)) for label, found in values["evaluations"].items()
        }
        return Result(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CrosscaleError(f"{path} is damaged; {remedy}") from error


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In words, which settings differ between a recipe as written and one of now."""
    before, after = settings_by_name(old), settings_by_name(new)
    told = []
    for name in sorted(before):
        if name not in after:
            told.append(f"{name} is gone")
        elif before[name] != after[name]:
            told.append(f"{name} was {before[name]}, now {after[name]}")
    return told


@cache
def commit() -> str | None:
    """The commit of the git checkout that holds this package, None when it lies in none."""
    folder = Path(crosscale.__file__).parent
    git = ["git", "--no-optional-locks", "-C", str(folder)]
    try:
        # An installed package may lie in the checkout of another project.
        subprocess.run(
            [*git, "ls-files", "--error-unmatch", "__init__.py"], capture_output=True, check=True
        )
        told = [*git, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
        found = subprocess.run(told, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _checked(found: Judged) -> Judged:
    for streams in [*found.top1.values(), *found.precision.values()]:
        if not all(0 <= share <= 1 for share in streams.values()) or found.headline not in streams:
            raise ValueError("no figures")
    return found
