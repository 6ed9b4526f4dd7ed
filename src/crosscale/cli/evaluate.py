"""`crosscale evaluate`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import getdoc, signature
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from rich.console import Console

from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.data.splits import only_split
from crosscale.encoders.base import Pooling
from crosscale.encoders.readout import Layers
from crosscale.errors import CrosscaleError
from crosscale.evaluation.baselines import baselines as measured_baselines
from crosscale.evaluation.baselines import chance
from crosscale.evaluation.evaluation import Evaluation, evaluate_features
from crosscale.evaluation.extract import READOUTS, Extraction
from crosscale.evaluation.features import Features
from crosscale.evaluation.few import COUNTS
from crosscale.evaluation.finetune import (
    EpochTuned,
    Finetune,
    check_target,
    finetune,
    save_tuned,
    sources_told,
)
from crosscale.evaluation.plots import NO_FIGURES, can_draw
from crosscale.evaluation.probes import GIVEN, PROBES
from crosscale.evaluation.report import Report, verdict, write_report
from crosscale.evaluation.runner import Runs, make_probes, open_runs
from crosscale.evaluation.semi import SHARES
from crosscale.evaluation.table import accuracy_table
from crosscale.models.checkpoint import untrained
from crosscale.models.hub import resolve
from crosscale.training.callbacks import read_metrics
from crosscale.utils.choices import EngineChoice
from crosscale.utils.progress import progress

_FROZEN = ("engine", "pooling", "layers", "mirror")  # options that fine-tuning has no use for


def evaluate(
    probe: str,
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    baselines: bool = False,
    seed: int = 0,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    pooling: Pooling | None = None,
    layers: Layers = 1,
    mirror: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """Judge what the encoders of one or more runs have learned, by a probe on their features.

    Each stream is judged alone, and so is the sum of their scores.

    Args:
        probe: what is trained on the features: a name, or an import path of a class.
        runs: run folders made by `crosscale pretrain`, or other encoders by name, such as `body`.
        data: the store; by default the one that the first run was trained on. Another one, of a
            layout that can be brought to the run's, tells how well what was learned transfers.
        protocol: which clips train and test: one that comes with the data (`data show`),
            random_subjects, leave_one_subject_out, folds or folds:NUMBER (by subject where subjects
            are known), or a YAML file of names; by default that of the first run, or the first one
            of the data set where that is of no use, or else five folds.
        out: folder of the results; by default one inside the first run, named after the probe and,
            where it is another one, the data set.
        baselines: also show what any training must beat: raw coordinates, MiniRocket as it is and
            half-whitened, the untrained encoder, as a mean over three seeds, and by ridge
            MultiRocket, where aeon is installed.
        seed: of all that is random.
        device: cpu or cuda.
        engine: what computes the features; `auto` is the fastest installed one.
        pooling: of each layer that is read: the `mean` over time and nodes; `statistics`: mean,
            largest and deviation; or the mean over time of each of the `nodes` (joints or parts),
            a vector that many times as long. By default as trained, with the output layer that was
            fitted to the encoders.
        layers: how many of the last layers are read, or `all`.
        mirror: average each clip's features with those of its mirror image, left and right
            exchanged: for actions that are done with either hand.
        settings: of the probe, by name.

    Returns:
        The figures, as printed; they are written too, with a page of them.
    """
    probes = make_probes(probe, settings or {})
    elsewhere = [str(run) for run in runs if not run.exists()]
    if elsewhere and (data is None or out is None):
        for name in elsewhere:
            resolve(name)  # a mistyped one is told as such
        raise CrosscaleError(
            f"{', '.join(elsewhere)} is no folder here: name a store with --data and a folder for "
            "the results with --out"
        )
    judged = open_runs(runs, data, protocol, device)
    if isinstance(probes[0], Finetune):
        return _finetuned(probes[0], judged, out, seed, baselines)
    how = Extraction(pooling, layers, mirror, engine)
    features = judged.features(how, {run: _kept_in(run, out) for run in judged.trained})
    store, folds = judged.store, judged.folds
    each = partial(evaluate_features, features=features, split=folds, kind=probe)
    found = [each(one, seed=seed, device=device) for one in probes]
    beaten = _chance(judged, found[0])
    if baselines:
        beaten |= measured_baselines(probes, judged.trained, store, folds, seed=seed, how=how)
    name = probe.rpartition(":")[2]
    folder = out or _folder(judged, "-".join(filter(None, [name, how.label])))
    return _report(judged, found, beaten, features, folder, str(how))


def make_parser(probe: str) -> CrosscaleParser:
    """The parser of `evaluate` with the settings of a probe."""
    kind: Any = PROBES.load(probe)
    about = f"{_about(kind)}\n\n    crosscale evaluate {probe} runs/nwucla --seed 1"
    parser = CrosscaleParser(f"evaluate {probe}", about)
    skip = {"probe", "settings", *(_FROZEN if kind is Finetune else ())}
    add_function(parser, evaluate, *skip)
    skip = {*signature(evaluate).parameters, *GIVEN}
    if probe == "semi":
        told = "of each class's training clips that keep their label, at least one clip a class"
        parser.add_argument("--shares", type=tuple[float, ...], default=SHARES, help=told)
        skip.add("share")
    if probe == "few":
        told = "how many labelled clips a class has; each number is judged"
        parser.add_argument("--labels", type=tuple[int, ...], default=COUNTS, help=told)
        skip.add("labels")
    if isinstance(kind, type):
        parser.add_class_arguments(kind, as_group=False, skip=skip, fail_untyped=False)
    return parser


def run(probe: str, values: Namespace) -> None:
    """Run `evaluate` with parsed values, the probe's settings among them."""
    chosen: dict[str, Any] = vars(values)
    own = signature(evaluate).parameters
    settings = {name: value for name, value in chosen.items() if name not in own}
    evaluate(probe, **{k: v for k, v in chosen.items() if k in own}, settings=settings)


def current_arguments(arguments: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Arguments with the options of 0.1 as they are called now.

    Args:
        arguments: after the probe.
        say: told of each option that had another name.
    """
    found: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        option, equals, value = word.partition("=")
        now = [word]
        if option == "--readout":
            value = value if equals else next(waiting, "")
            pooling, layers = READOUTS.get(value, (value, 1))
            now = [f"--pooling={pooling}", f"--layers={layers}"]
            say(f"--readout {value} is called {' '.join(now)} now")
        elif option == "--floors" or option.startswith("--config."):
            name = "--baselines" if option == "--floors" else f"--{option[len('--config.') :]}"
            now = [name + equals + value]
            say(f"{option} is called {name} now")
        found += now
    return found


def _about(probe: Any) -> str:
    """The first paragraph of what a probe says of itself."""
    return (getdoc(probe) or "").partition("\n\n")[0]


def _finetuned(
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
    shown = _report(judged, [tuned.evaluation], beaten, None, folder, str(Extraction()))
    Console().print(f"fine-tuned encoders: {', '.join(str(path) for path in kept)}")
    return shown


def _report(
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
