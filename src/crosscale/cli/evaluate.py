"""`crosscale evaluate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import stdev

import torch
from rich.console import Console
from rich.table import Table

from crosscale.data.protocol import split
from crosscale.data.store import ClipStore
from crosscale.encoder.engines import EngineChoice
from crosscale.errors import CrosscaleError
from crosscale.evaluate.baselines import chance
from crosscale.evaluate.baselines import floors as measure_floors
from crosscale.evaluate.evaluation import Config, Evaluation, Kind, evaluate
from crosscale.evaluate.extract import extract_once
from crosscale.evaluate.features import merge_features
from crosscale.evaluate.knn import KnnConfig
from crosscale.evaluate.linear import LinearConfig
from crosscale.evaluate.report import Report, write_report
from crosscale.evaluate.retrieval import RetrievalConfig
from crosscale.evaluate.semi import SHARES, SemiConfig
from crosscale.run import TrainedEncoders, load_encoders
from crosscale.train.monitor import read_metrics


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
    config: LinearConfig = LinearConfig(),  # noqa: B008
) -> Report:
    """Train one linear layer on the frozen features of each stream, and on their sum.

    Args:
        runs: run folders made by `crosscale pretrain`.
        data: the store; by default the one that the first run was trained on.
        protocol: which clips train and test; by default that of the first run.
        out: folder of the results; by default `linear` inside the first run.
        floors: also show what any training must beat: the untrained encoder and raw coordinates.
        seed: of the linear layer.
        device: cpu or cuda.
        engine: what computes the features; `auto` is the fastest installed one of full
            precision, `openvino-int8` is about 1.7 times as fast again and less exact.
        config: how the layer is trained.
    """
    return _evaluate("linear", runs, data, protocol, out, floors, seed, device, engine, [config])


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
) -> Report:
    """Classify each test clip by its nearest training clips, for each stream and their sum.

    Args:
        runs: run folders made by `crosscale pretrain`.
        data: the store; by default the one that the first run was trained on.
        protocol: which clips train and test; by default that of the first run.
        out: folder of the results; by default `knn` inside the first run.
        floors: also show what any training must beat: the untrained encoder and raw coordinates.
        neighbours: how many vote.
        device: cpu or cuda.
        engine: what computes the features; `auto` is the fastest installed one of full
            precision, `openvino-int8` is about 1.7 times as fast again and less exact.
    """
    configs = [KnnConfig(neighbours)]
    return _evaluate("knn", runs, data, protocol, out, floors, 0, device, engine, configs)


def retrieval(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    device: str = "cpu",
    engine: EngineChoice = "auto",
) -> Report:
    """Rank the training clips for each test clip, and tell how early those of its class come.

    Args:
        runs: run folders made by `crosscale pretrain`.
        data: the store; by default the one that the first run was trained on.
        protocol: which clips train and test; by default that of the first run.
        out: folder of the results; by default `retrieval` inside the first run.
        floors: also show what any training must beat: the untrained encoder and raw coordinates.
        device: cpu or cuda.
        engine: what computes the features; `auto` is the fastest installed one of full
            precision, `openvino-int8` is about 1.7 times as fast again and less exact.
    """
    configs = [RetrievalConfig()]
    return _evaluate("retrieval", runs, data, protocol, out, floors, 0, device, engine, configs)


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
    config: LinearConfig = LinearConfig(),  # noqa: B008
) -> Report:
    """Train the linear layer on small shares of the labels, each drawn several times.

    Args:
        runs: run folders made by `crosscale pretrain`.
        data: the store; by default the one that the first run was trained on.
        protocol: which clips train and test; by default that of the first run.
        out: folder of the results; by default `semi` inside the first run.
        shares: of each class's training clips that keep their label, at least one clip a class.
        draws: how many times the clips of a share are drawn.
        seed: of the draws and of the linear layer.
        device: cpu or cuda.
        engine: what computes the features; `auto` is the fastest installed one of full
            precision, `openvino-int8` is about 1.7 times as fast again and less exact.
        config: how the layer is trained.
    """
    configs = [SemiConfig(**vars(config), share=share, draws=draws) for share in shares]
    if not configs:
        raise CrosscaleError("name at least one share of the labels, e.g. --shares '[0.05]'")
    return _evaluate("semi", runs, data, protocol, out, False, seed, device, engine, configs)


def _evaluate(
    kind: Kind,
    runs: Sequence[Path],
    data: Path | None,
    protocol: str | None,
    out: Path | None,
    floors: bool,
    seed: int,
    device: str,
    engine: EngineChoice,
    configs: Sequence[Config],
) -> Report:
    if len(set(runs)) != len(runs):
        raise CrosscaleError("a run is named twice; its streams would count twice in the sum")
    trained = {str(run): load_encoders(run, device) for run in runs}
    first = next(iter(trained.values()))
    store = ClipStore.open(data or first.details["store_path"])
    features = merge_features(
        {
            run: extract_once(encoders, store, torch.device(device), _folder(Path(run)), engine)
            for run, encoders in trained.items()
        }
    )
    parts = split(store, protocol or first.protocol)
    evaluations = [
        evaluate(kind, features, parts, config, seed=seed, device=device) for config in configs
    ]
    beaten = {"chance": dict.fromkeys(parts.tests, chance(store.labels[parts.train]))}
    if floors:
        encoders, config = list(trained.values()), configs[0]
        beaten |= measure_floors(kind, encoders, store, parts, config, seed=seed, device=device)
    report = Report(
        title=f"{store.name}, {parts.name}: {', '.join(features.vectors)}",
        evaluations=evaluations,
        features=features,
        pretraining={str(run): read_metrics(_folder(run)) for run in runs},
        about=_about(trained, store),
        baselines=beaten,
    )
    console = Console()
    console.print(_table(report))
    for note in dict.fromkeys(note for found in evaluations for note in found.notes):
        console.print(note)
    results, page = write_report(report, out or _folder(runs[0]) / kind)
    console.print(f"results: {results}\nreport: {page}")
    return report


def _table(report: Report) -> Table:
    """Top-1 and top-k of each stream on each test, above what they must beat."""
    first = report.evaluations[0]
    k = first.metrics[next(iter(first.tests))][first.headline].k
    measures = ["top-1", f"top-{k}"] + (["mAP"] if first.precision else [])
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
    cells = [f"{100 * numbers.top1:.1f}", f"{100 * numbers.top_k:.1f}"]
    draws = evaluation.draws.get(test, {}).get(stream, ())
    if len(draws) > 1:
        cells[0] += f" ± {100 * stdev(draws):.1f}"
    if evaluation.precision:
        cells.append(f"{100 * evaluation.precision[test][stream]:.1f}")
    return cells


def _folder(run: Path) -> Path:
    return run if run.is_dir() else run.parent


def _about(trained: Mapping[str, TrainedEncoders], store: ClipStore) -> dict[str, str]:
    about = {"data": f"{store.name}, {len(store)} clips, layout {store.layout.name}"}
    for run, encoders in trained.items():
        facts = encoders.details
        about[run] = f"{', '.join(encoders.encoders)}; epoch {facts['epoch']}, seed {facts['seed']}"
    return about
