"""What `evaluate` does, apart from its options: it takes seconds to import."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from crosscale.data.splits import only_split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.baselines import baselines as measured_baselines
from crosscale.evaluation.baselines import chance
from crosscale.evaluation.evaluation import Evaluation, evaluate_features
from crosscale.evaluation.extract import Extraction
from crosscale.evaluation.features import Features
from crosscale.evaluation.finetune import (
    EpochTuned,
    Finetune,
    check_target,
    finetune,
    save_tuned,
    sources_told,
)
from crosscale.evaluation.plots import NO_FIGURES, can_draw
from crosscale.evaluation.report import Report, verdict, write_report
from crosscale.evaluation.runner import Runs
from crosscale.evaluation.table import accuracy_table
from crosscale.models.checkpoint import untrained
from crosscale.models.hub import resolve
from crosscale.training.callbacks import read_metrics
from crosscale.utils.progress import progress


def check_places(runs: Sequence[Path], data: Path | None, out: Path | None) -> None:
    """Refuse encoders by name where nothing says which clips are judged, and what goes where."""
    elsewhere = [str(run) for run in runs if not run.exists()]
    if elsewhere and (data is None or out is None):
        for name in elsewhere:
            resolve(name)  # a mistyped one is told as such
        raise CrosscaleError(
            f"{', '.join(elsewhere)} is no folder here: name a store with --data and a folder for "
            "the results with --out"
        )


def judge_frozen(
    name: str,
    probes: Sequence[Any],
    judged: Runs,
    how: Extraction,
    out: Path | None,
    seed: int,
    device: str,
    baselines: bool,
) -> Report:
    """Fit probes, made by a name, to the features of encoders as they are."""
    features = judged.features(how, {run: _kept_in(run, out) for run in judged.trained})
    store, folds = judged.store, judged.folds
    each = partial(evaluate_features, features=features, split=folds, kind=name)
    found = [each(one, seed=seed, device=device) for one in probes]
    beaten = _chance(judged, found[0])
    if baselines:
        beaten |= measured_baselines(probes, judged.trained, store, folds, seed=seed, how=how)
    short = name.rpartition(":")[2]
    folder = out or _folder(judged, "-".join(filter(None, [short, how.label])))
    return _reported(judged, found, beaten, features, folder, str(how))


def judge_finetuned(
    probe: Finetune, judged: Runs, out: Path | None, seed: int, baselines: bool
) -> Report:
    """Train encoders with labels, judge them, and keep them beside the figures."""
    folder = out or _folder(judged, "finetune")
    check_target(folder, judged.trained)
    store = judged.store
    fold = only_split(store, judged.folds)
    train = partial(finetune, store=store, split=fold, config=probe, seed=seed)
    count = probe.epochs * judged.streams * (1 + baselines)
    with progress("fine-tuning, in epochs", count) as advance:
        report: Callable[[str, EpochTuned], None] = lambda stream, done: advance(1)  # noqa: E731
        tuned = train(judged.trained, report=report)
        beaten = _chance(judged, tuned.evaluation)
        if baselines:
            blank = {run: untrained(own, seed) for run, own in judged.trained.items()}
            scratch = train(blank, report=report).evaluation
            beaten["trained from scratch"] = scratch.headline_top1
    kept = save_tuned(folder, tuned, judged.trained, store, tuned.evaluation.protocol)
    shown = _reported(judged, [tuned.evaluation], beaten, None, folder, str(Extraction()))
    Console().print(f"fine-tuned encoders: {', '.join(str(path) for path in kept)}")
    return shown


def _reported(
    judged: Runs,
    evaluations: Sequence[Evaluation],
    baselines: dict[str, dict[str, float]],
    features: Features | None,
    folder: Path,
    read: str,
) -> Report:
    """Print the figures, and write them."""
    sources = judged.pretrained_elsewhere
    others = f", pre-trained on {', '.join(map(sources_told, sources))}" if sources else ""
    streams = [s for s in evaluations[0].scores if s != "sum"]
    report = Report(
        title=f"{judged.store.title}, {evaluations[0].protocol}{others}: {', '.join(streams)}",
        evaluations=evaluations,
        features=features,
        pretraining={run: read_metrics(_kept_in(run, folder)) for run in judged.trained},
        about=judged.about() | {"read of each encoder": read},
        baselines=baselines,
    )
    console = Console()
    if others:
        console.print(f"transfer{others}, judged on {judged.store.title}")
    console.print(accuracy_table(report))
    if told := verdict(report):
        console.print(told)
    for note in dict.fromkeys(note for found in evaluations for note in found.notes):
        console.print(note)
    results, page = write_report(report, folder)
    console.print(f"results: {results}\nreport: {page}")
    if not can_draw():
        console.print(NO_FIGURES, markup=False)
    return report


def _chance(judged: Runs, found: Evaluation) -> dict[str, dict[str, float]]:
    share = chance(judged.store.labels[judged.folds[0].train])
    return {"chance": dict.fromkeys(found.tests, share)}


def _folder(judged: Runs, name: str) -> Path:
    """Where results go when no folder is named."""
    first = Path(next(iter(judged.trained)))
    inside = first if first.is_dir() else first.parent
    return inside / (f"{name}-{judged.store.name}" if judged.pretrained_elsewhere else name)


def _kept_in(run: str, out: Path | None) -> Path:
    """Where a run's features lie: with the results where the run is no folder here."""
    path = Path(run)
    if out and not path.exists():
        return out
    return path if path.is_dir() else path.parent
