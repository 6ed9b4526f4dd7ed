"""`crosscale evaluate`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import cleandoc, signature
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console

from crosscale.cli.progress import epoch_bar
from crosscale.data.splits import ALL, Split, protocols, split
from crosscale.data.store import ClipStore
from crosscale.encoders.engines import EngineChoice
from crosscale.encoders.readout import ReadoutName
from crosscale.errors import CrosscaleError
from crosscale.evaluation.baselines import chance
from crosscale.evaluation.baselines import floors as measure_floors
from crosscale.evaluation.evaluation import Config, Evaluation, Kind, evaluate
from crosscale.evaluation.extract import check_layout, extract_once, untrained_on
from crosscale.evaluation.features import Features, merge_features
from crosscale.evaluation.finetune import EpochTuned, FinetuneConfig
from crosscale.evaluation.knn import KnnConfig
from crosscale.evaluation.linear import LinearConfig
from crosscale.evaluation.report import Report, write_report
from crosscale.evaluation.retrieval import RetrievalConfig
from crosscale.evaluation.ridge import RidgeConfig
from crosscale.evaluation.semi import SHARES, SemiConfig
from crosscale.evaluation.table import accuracy_table
from crosscale.evaluation.tuned import check_target, pretrained_on, save_tuned
from crosscale.evaluation.tuned import finetune as finetune_encoders
from crosscale.models.checkpoint import TrainedEncoders, load_encoders
from crosscale.models.hub import resolve
from crosscale.training.callbacks import read_metrics

_Command = TypeVar("_Command", bound=Callable[..., Report])

_READOUTS: dict[ReadoutName, str] = {
    "mean": "the mean over time and nodes",
    "nodes": "the mean over time of each node",
    "blocks": "the mean over time of each node, of the last three blocks",
    "all": "the mean over time of each node, of all blocks",
}
_SHARED_HELP = {
    "runs": "run folders made by `crosscale pretrain`, or other encoders by name, such as `parts`.",
    "data": "the store; by default the one that the first run was trained on. Another one, of "
    "a layout that can be brought to the run's, tells how well what was learned transfers.",
    "protocol": "which clips train and test; by default that of the first run, or the first one "
    "of the data set where that is of no use.",
    "out": "folder of the results; by default one inside the first run, named after the "
    "evaluation and, where it is another one, the data set.",
    "floors": "also show what any training must beat: the untrained encoder and raw coordinates.",
    "device": "cpu or cuda.",
    "engine": "what computes the features; `auto` is the fastest installed one.",
    "readout": "what is read of each encoder: the `mean` over time and nodes, as trained; the "
    "mean over time of each of the `nodes` (joints or parts), a vector that many times as long; or "
    "the latter of each of the last three `blocks`, or of `all` blocks.",
    "mirror": "average each clip's features with those of its mirror image, left and right "
    "exchanged: for actions that are done with either hand.",
    "config": "how the layer is trained.",
}


def _with_shared_help(command: _Command) -> _Command:
    """Document the options that all evaluations share, where a command does not do it itself."""
    own = cleandoc(command.__doc__ or "")
    own += "" if "\nArgs:\n" in own else "\n\nArgs:"
    names = [
        n for n in signature(command).parameters if n in _SHARED_HELP and f"\n    {n}:" not in own
    ]
    command.__doc__ = "\n".join([own, *(f"    {name}: {_SHARED_HELP[name]}" for name in names)])
    return command


@_with_shared_help
def linear(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    seed: int = 0,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    mirror: bool = False,
    config: LinearConfig = LinearConfig(),  # noqa: B008
) -> Report:
    """Train one linear layer on the frozen features of each stream, and on their sum.

        crosscale evaluate linear runs/nwucla --floors

    Args:
        seed: of the linear layer.
    """
    judged = _opened(runs, data, protocol, out, device)
    reading = _Reading(engine, readout, mirror)
    return _evaluate_frozen("linear", judged, [config], out, seed, reading, floors)


@_with_shared_help
def ridge(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    mirror: bool = False,
    config: RidgeConfig = RidgeConfig(),  # noqa: B008
) -> Report:
    """Fit a linear layer to the frozen features of each stream by least squares, and their sum.

        crosscale evaluate ridge runs/nwucla --readout blocks

    Args:
        config: how the layer is fitted.
    """
    judged = _opened(runs, data, protocol, out, device)
    reading = _Reading(engine, readout, mirror)
    return _evaluate_frozen("ridge", judged, [config], out, 0, reading, floors)


@_with_shared_help
def knn(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    neighbours: int = 1,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    mirror: bool = False,
) -> Report:
    """Classify each test clip by its nearest training clips, for each stream and their sum.

        crosscale evaluate knn runs/nwucla --neighbours 5

    Args:
        neighbours: how many vote.
    """
    judged = _opened(runs, data, protocol, out, device)
    reading = _Reading(engine, readout, mirror)
    return _evaluate_frozen("knn", judged, [KnnConfig(neighbours)], out, 0, reading, floors)


@_with_shared_help
def retrieval(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    mirror: bool = False,
) -> Report:
    """Rank the training clips for each test clip, and tell how early those of its class come.

        crosscale evaluate retrieval runs/nwucla

    All training clips are ranked by cosine similarity.
    """
    judged = _opened(runs, data, protocol, out, device)
    reading = _Reading(engine, readout, mirror)
    return _evaluate_frozen("retrieval", judged, [RetrievalConfig()], out, 0, reading, floors)


@_with_shared_help
def semi(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    shares: tuple[float, ...] = SHARES,
    draws: int = 5,
    seed: int = 0,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    mirror: bool = False,
    config: LinearConfig = LinearConfig(),  # noqa: B008
) -> Report:
    """Train the linear layer on small shares of the labels, each drawn several times.

        crosscale evaluate semi runs/nwucla --shares '[0.05, 0.2]'

    Args:
        shares: of each class's training clips that keep their label, at least one clip a class.
        draws: how many times the clips of a share are drawn.
        seed: of the draws and of the linear layer.
    """
    configs = [SemiConfig(**vars(config), share=share, draws=draws) for share in shares]
    if not configs:
        raise CrosscaleError("name at least one share of the labels, e.g. --shares '[0.05]'")
    judged = _opened(runs, data, protocol, out, device)
    reading = _Reading(engine, readout, mirror)
    return _evaluate_frozen("semi", judged, configs, out, seed, reading, floors=False)


@_with_shared_help
def finetune(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    seed: int = 0,
    device: str = "cpu",
    config: FinetuneConfig = FinetuneConfig(),  # noqa: B008
) -> Report:
    """Train each stream's encoder together with a linear layer on it, and judge them.

    The runs stay as they are; the fine-tuned encoders and their layers are kept with the results.

        crosscale evaluate finetune runs/nwucla --floors --config.share 0.1

    Args:
        floors: also show what the pre-training must add to: the same training from scratch.
        seed: of the layer, the order of clips, dropout, and the draw of a share of the labels.
        config: how encoder and layer are trained, and on which share of the labels.
    """
    judged = _opened(runs, data, protocol, out, device)
    folder = out or judged.folder("finetune")
    check_target(folder, runs)
    trained, store, parts = judged.trained, judged.store, judged.parts
    train = partial(
        finetune_encoders, store=store, split=parts, config=config, seed=seed, device=device
    )
    with _bar_of_epochs(config.epochs * judged.streams * (1 + floors)) as report:
        tuned, beaten = train(trained, report=report("")), judged.chance
        if floors:
            blank = {run: untrained_on(device, found, seed) for run, found in trained.items()}
            scratch = train(blank, report=report("from scratch, ")).evaluation
            beaten["trained from scratch"] = scratch.headline_top1
    kept = save_tuned(folder, tuned, trained, store, judged.protocol)
    shown = _report(judged, [tuned.evaluation], beaten, None, folder)
    Console().print(f"fine-tuned encoders: {', '.join(str(path) for path in kept)}")
    return shown


@dataclass(frozen=True)
class _Judged:
    """The runs that a command judges, and the clips it does so on."""

    trained: dict[str, TrainedEncoders]
    store: ClipStore
    protocol: str
    parts: Split
    device: str

    @property
    def streams(self) -> int:
        return sum(len(encoders.encoders) for encoders in self.trained.values())

    @property
    def chance(self) -> dict[str, dict[str, float]]:
        share = chance(self.store.labels[self.parts.train])
        return {"chance": dict.fromkeys(self.parts.tests, share)}

    @property
    def others(self) -> list[str]:
        """Data sets of pre-training that are not the one judged on."""
        sources = {pretrained_on(encoders) for encoders in self.trained.values()}
        return sorted(sources - {self.store.name})

    def folder(self, kind: str) -> Path:
        """Where results go when no folder is named."""
        first = next(iter(self.trained))
        return _folder(Path(first)) / (f"{kind}-{self.store.name}" if self.others else kind)

    def about(self) -> dict[str, str]:
        """How the figures were made, for a reader."""
        store = self.store
        facts = f"{store.name} ({store.path}), {len(store)} clips, layout {store.layout.name}"
        layouts = {e.layout.name for e in self.trained.values()} - {store.layout.name}
        facts += f", brought to {' and '.join(sorted(layouts))}" if layouts else ""
        return {"judged on": facts} | {run: _told(e) for run, e in self.trained.items()}


def _opened(
    runs: Sequence[Path], data: Path | None, protocol: str | None, out: Path | None, device: str
) -> _Judged:
    if len(set(runs)) != len(runs):
        raise CrosscaleError("a run is named twice; its streams would count twice in the sum")
    _check_device(device)
    trained = {str(run): load_encoders(resolve(run), device) for run in runs}
    elsewhere = [str(run) for run in runs if not run.exists()]
    if elsewhere and (data is None or out is None):
        raise CrosscaleError(
            f"{', '.join(elsewhere)} is no folder here: name a store with --data and a folder for "
            "the results with --out"
        )
    first = next(iter(trained.values()))
    store = ClipStore.open(data or first.store_path)
    for encoders in trained.values():
        check_layout(encoders, store)
    protocol = protocol or _protocol(store, first)
    return _Judged(trained, store, protocol, split(store, protocol), device)


def _check_device(name: str) -> None:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # how a build without CUDA says it
        raise CrosscaleError(f"--device {name} cannot be used here: take cpu") from error


def _protocol(store: ClipStore, encoders: TrainedEncoders) -> str:
    """That of the run where the store has it, else the store's own first one."""
    own = protocols(store)
    is_known = store.name == encoders.details["store"] or encoders.protocol in own
    is_of_use = is_known and encoders.protocol != ALL  # by which none tests
    return encoders.protocol if is_of_use or not own else own[0]


@dataclass(frozen=True)
class _Reading:
    """How features are taken from the encoders; see the shared help."""

    engine: EngineChoice
    readout: ReadoutName
    mirror: bool

    def __str__(self) -> str:
        images = ", averaged with that of the mirror image" if self.mirror else ""
        return _READOUTS[self.readout] + images

    def folder(self, kind: Kind) -> str:
        """Where an evaluation's results go in the run's folder."""
        readout = [] if self.readout == "mean" else [self.readout]
        return "-".join([kind, *readout, *(["mirror"] if self.mirror else [])])


def _evaluate_frozen(
    kind: Kind,
    judged: _Judged,
    configs: Sequence[Config],
    out: Path | None,
    seed: int,
    reading: _Reading,
    floors: bool,
) -> Report:
    store, parts, device = judged.store, judged.parts, judged.device
    readout, mirror = reading.readout, reading.mirror
    once = partial(extract_once, engine=reading.engine, readout=readout, mirror=mirror)
    features = merge_features(
        {
            run: once(encoders, store, torch.device(device), _kept_in(run, out))
            for run, encoders in judged.trained.items()
        }
    )
    evaluations = [
        evaluate(kind, features, parts, config, seed=seed, device=device) for config in configs
    ]
    beaten = judged.chance
    if floors:
        encoders = list(judged.trained.values())
        blank = partial(measure_floors, readout=readout, mirror=mirror)
        beaten |= blank(kind, encoders, store, parts, configs[0], seed=seed, device=device)
    folder = out or judged.folder(reading.folder(kind))
    return _report(judged, evaluations, beaten, features, folder, str(reading))


def _report(
    judged: _Judged,
    evaluations: Sequence[Evaluation],
    baselines: dict[str, dict[str, float]],
    features: Features | None,
    folder: Path,
    read: str = _READOUTS["mean"],
) -> Report:
    """Print the figures, and write them."""
    others = f", pre-trained on {', '.join(judged.others)}" if judged.others else ""
    streams = [s for s in evaluations[0].scores if s != "sum"]
    report = Report(
        title=f"{judged.store.name}, {judged.parts.name}{others}: {', '.join(streams)}",
        evaluations=evaluations,
        features=features,
        pretraining={run: read_metrics(_kept_in(run, folder)) for run in judged.trained},
        about=judged.about() | {"read of each encoder": read},
        baselines=baselines,
    )
    console = Console()
    if others:
        console.print(f"transfer{others}, judged on {judged.store.name}")
    console.print(accuracy_table(report))
    for note in dict.fromkeys(note for found in evaluations for note in found.notes):
        console.print(note)
    results, page = write_report(report, folder)
    console.print(f"results: {results}\nreport: {page}")
    return report


@contextmanager
def _bar_of_epochs(epochs: int) -> Iterator[Callable[[str], Callable[[str, EpochTuned], None]]]:
    """A bar; yields what makes the callback of a training, given what its line begins with."""
    with epoch_bar(Console(), "left") as bar:
        task = bar.add_task("", total=epochs, told="")

        def report(begin: str, stream: str, done: EpochTuned) -> None:
            told = f"{begin}{stream}: loss {done.loss:.3f}, {100 * done.accuracy:.1f} % right"
            bar.update(task, advance=1, told=told)

        yield lambda begin: lambda stream, done: report(begin, stream, done)


def _folder(run: Path) -> Path:
    return run if run.is_dir() else run.parent


def _kept_in(run: str, out: Path | None) -> Path:
    """Where a run's features lie: with the results where the run is no folder here."""
    return out if out and not Path(run).exists() else _folder(Path(run))


def _told(encoders: TrainedEncoders) -> str:
    """Where a run's encoders come from."""
    facts: Any = encoders.details
    told = (
        f"{', '.join(encoders.encoders)}; pre-trained on {pretrained_on(encoders)} without labels, "
        f"epoch {facts['epoch']}, seed {facts['seed']}"
    )
    if "finetuned" in facts:
        share = 100 * facts["finetuned"]["share"]
        told += (
            f"; fine-tuned with {share:.4g} % of the labels of {facts['store']}, "
            f"{encoders.protocol}, seed {facts['finetuned']['seed']}"
        )
    return told
