"""Running a comparison, cell by cell: what is done already is left alone."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from crosscale import __version__
from crosscale.config import plain
from crosscale.data.splits import ALL, Split, folds, only_split, split, trains_all, usual
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluation.comparison.plan import Cell, Judge, Plan
from crosscale.evaluation.comparison.results import (
    Result,
    changed,
    commit,
    judged,
    read_results,
    result_path,
    write_result,
)
from crosscale.evaluation.finetune import Finetune
from crosscale.evaluation.online import NeighbourProbe
from crosscale.evaluation.runner import Runs
from crosscale.models.checkpoint import ENCODER_FILE, load_encoders
from crosscale.training.callbacks import Callback, EpochEnd
from crosscale.training.distributed import team_fabric
from crosscale.training.loop import RECIPE_FILE, pretrain
from crosscale.training.setup import make_source, steps_per_epoch
from crosscale.utils.files import atomic_path

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CELL_FILE = "cell.json"  # in a run folder: what it was begun for, and the seconds it has taken


@dataclass(frozen=True)
class _Ground:
    """What a cell stands on: an opened store, which and how many clips train, and what judges.

    What trains without labels on all clips is judged by the store's usual protocol. Where folds
    judge, all clips train: one training for each fold would take as many times as long.
    """

    store: ClipStore
    trains: str
    clips: int
    folds: list[Split]

    @classmethod
    def of(cls, path: Path, protocol: str) -> "_Ground":
        store = ClipStore.open(path)
        judged = folds(store, usual(store) if protocol == ALL else protocol)
        trains = ALL if trains_all(protocol) else protocol
        return cls(store, trains, len(split(store, trains).train), judged)


def run_cells(
    plan: Plan,
    out: Path,
    device: str,
    *,
    begin: Callable[[Cell, int, float | None], None],
    finished: Callable[[Mapping[Cell, Result]], None],
    say: Callable[[str], None],
) -> None:
    """Train and judge every cell whose result is not there yet, or of other settings.

    Args:
        plan: the cells and evaluations.
        out: the comparison's folder.
        device: auto, cpu, cuda or mps.
        begin: called before a cell with its number (from 1) in the plan and the seconds that all
            unfinished cells may take, None before any has finished.
        finished: called with all valid results, at the start and after each cell.
        say: told what a user should know, in a sentence.

    Raises:
        CrosscaleError: before any training when a store, a protocol or a result file is bad.
        KeyboardInterrupt: after Ctrl-C, once the state of the cell in training is saved.
    """
    team_fabric("32-true", device)  # a device that is not there is told before all else
    grounds = _grounds(plan)
    results = {}
    for cell, result in read_results(out, plan).items():
        stale = _stale(result, cell, grounds[cell].store)
        if stale:
            say(f"{cell.title}: {stale}; it is trained anew and its old result replaced")
        elif _missing(result, plan.judges):
            say(f"{cell.title}: trained already, judged anew by {_missing(result, plan.judges)}")
        else:
            results[cell] = result
    finished(results)
    for number, cell in enumerate(plan.cells, start=1):
        if cell in results:
            continue
        begin(cell, number, time_left([c for c in plan.cells if c not in results], results))
        folder = out / "runs" / cell.data / cell.method / str(cell.seed)
        fabric = team_fabric(cell.recipe.precision, device)
        seconds = _train(cell, grounds[cell], folder, fabric, say)
        results[cell] = _judge(cell, plan.judges, grounds[cell], folder, fabric, seconds)
        write_result(result_path(out, cell), results[cell])
        finished(results)


def is_of(result: Result, cell: Cell) -> bool:
    """Whether a result was made with the settings that the plan says now."""
    return not changed(result.recipe, _settings(cell))


def _settings(cell: Cell) -> dict[str, Any]:
    return plain(dataclasses.asdict(cell.recipe))


def time_left(waiting: Sequence[Cell], results: Mapping[Cell, Result]) -> float | None:
    """Seconds that cells may take, by the finished cells most like each; None without any."""
    if not results:
        return None
    return sum(_expected(cell, results) for cell in waiting)


def _expected(cell: Cell, results: Mapping[Cell, Result]) -> float:
    alike = [c for c in results if (c.data, c.method) == (cell.data, cell.method)]
    alike = alike or [c for c in results if c.data == cell.data] or list(results)
    return mean(results[c].seconds + results[c].evaluation_seconds for c in alike)


def _grounds(plan: Plan) -> dict[Cell, _Ground]:
    """Open and check what every cell needs, each store and protocol once."""
    opened: dict[tuple[Path, str], _Ground] = {}
    for cell in plan.cells:
        key = (cell.store, cell.recipe.protocol)
        if key not in opened:
            opened[key] = _Ground.of(*key)
        if any(isinstance(judge.probe, Finetune) for judge in plan.judges.values()):
            only_split(opened[key].store, opened[key].folds)
        clips = opened[key].clips
        if steps_per_epoch(cell.recipe, clips) == 0:
            raise CrosscaleError(
                f"{cell.title}: {clips} clips are fewer than one batch; "
                "set training.batch_size lower or training.last_batch to use"
            )
    return {cell: opened[cell.store, cell.recipe.protocol] for cell in plan.cells}


def _stale(result: Result, cell: Cell, store: ClipStore) -> str:
    """Why a result does not hold any more; empty when it does."""
    if not is_of(result, cell):
        return "; ".join(changed(result.recipe, _settings(cell)))
    return f"{cell.store} has changed" if result.store != store.fingerprint else ""


def _missing(result: Result, judges: Mapping[str, Judge]) -> str:
    """Labels of the evaluations that a result lacks, or has with other settings."""
    configs = {label: found.config for label, found in result.evaluations.items()}
    wanted = {label: judge.config for label, judge in judges.items()}
    return ", ".join(label for label in wanted if configs.get(label) != wanted[label])


def _train(
    cell: Cell,
    ground: _Ground,
    folder: Path,
    fabric: "Fabric",
    say: Callable[[str], None],
) -> float:
    """Train a cell, or go on with it; returns the seconds that it has taken in all."""
    settings, store = _settings(cell), ground.store.fingerprint
    identity = {"recipe": settings, "store": store}
    begun = _begun(folder)
    if begun.get("store") != store or changed(begun.get("recipe", {}), settings):
        if any((folder / file).exists() for file in (RECIPE_FILE, ENCODER_FILE)):
            say(f"the run of other settings was set aside as {_set_aside(folder)}")
        begun = {}
    spent: float = begun.get("seconds", 0.0)
    _note(folder, identity, spent)
    if (folder / ENCODER_FILE).is_file():
        return spent
    recipe = dataclasses.replace(cell.recipe, protocol=ground.trains)
    source = make_source(recipe, [ground.store], fabric.device)
    probe = NeighbourProbe.of(source, recipe)
    started = time.perf_counter()

    def seconds() -> float:
        return spent + time.perf_counter() - started

    def after(done: EpochEnd) -> None:
        if done.epoch == done.epochs or done.epoch % recipe.save_every == 0:
            _note(folder, identity, seconds())  # a killed run goes on from here

    resume = (folder / RECIPE_FILE).is_file()
    try:
        callbacks: list[Callback] = [probe, after] if probe else [after]
        pretrain(recipe, source, folder, fabric, resume=resume, callbacks=callbacks, say=say)
    finally:
        _note(folder, identity, seconds())
    return seconds()


def _judge(
    cell: Cell,
    judges: Mapping[str, Judge],
    ground: _Ground,
    folder: Path,
    fabric: "Fabric",
    seconds: float,
) -> Result:
    started = time.perf_counter()
    encoders = load_encoders(folder, fabric.device)
    runs = Runs({"": encoders}, ground.store, ground.folds)
    found = {
        label: runs.judge(judge.probe, judge.how, {"": folder}, kind=judge.kind, seed=cell.seed)
        for label, judge in judges.items()
    }
    training, steps = cell.recipe.training, steps_per_epoch(cell.recipe, ground.clips)
    trained = min(ground.clips, steps * training.batch_size) * training.epochs
    return Result(
        data=cell.data,
        method=cell.method,
        seed=cell.seed,
        recipe=_settings(cell),
        store=ground.store.fingerprint,
        version=__version__,
        commit=commit(),
        seconds=seconds,
        evaluation_seconds=time.perf_counter() - started,
        clips_per_second=trained / seconds,
        parameters=sum(p.numel() for e in encoders.encoders.values() for p in e.parameters()),
        evaluations={label: judged(evaluation) for label, evaluation in found.items()},
    )


def _begun(folder: Path) -> dict[str, Any]:
    try:
        begun: dict[str, Any] = json.loads((folder / CELL_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CrosscaleError(f"{folder / CELL_FILE} is damaged; delete {folder}") from error
    return begun


def _note(folder: Path, identity: Mapping[str, Any], seconds: float) -> None:
    with atomic_path(folder / CELL_FILE) as temporary:
        temporary.write_text(json.dumps({**identity, "seconds": seconds}), encoding="utf-8")


def _set_aside(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old{number}")).exists():
        number += 1
    folder.replace(aside)
    return aside
