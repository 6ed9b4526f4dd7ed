"""`crosscale evaluate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from crosscale.data.protocol import split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluate.baselines import chance
from crosscale.evaluate.baselines import floors as measure_floors
from crosscale.evaluate.evaluation import Config, Kind, evaluate
from crosscale.evaluate.extract import extract_once
from crosscale.evaluate.features import merge_features
from crosscale.evaluate.knn import KnnConfig
from crosscale.evaluate.linear import LinearConfig
from crosscale.evaluate.report import Report, write_report
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
        config: how the layer is trained.
    """
    return _evaluate("linear", runs, data, protocol, out, floors, seed, device, config)


def knn(
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    floors: bool = False,
    neighbours: int = 1,
    device: str = "cpu",
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
    """
    return _evaluate("knn", runs, data, protocol, out, floors, 0, device, KnnConfig(neighbours))


def _evaluate(
    kind: Kind,
    runs: Sequence[Path],
    data: Path | None,
    protocol: str | None,
    out: Path | None,
    floors: bool,
    seed: int,
    device: str,
    config: Config,
) -> Report:
    if len(set(runs)) != len(runs):
        raise CrosscaleError("a run is named twice; its streams would count twice in the sum")
    trained = {str(run): load_encoders(run, device) for run in runs}
    first = next(iter(trained.values()))
    store = ClipStore.open(data or first.details["store_path"])
    features = merge_features(
        {
            run: extract_once(encoders, store, torch.device(device), _folder(Path(run)))
            for run, encoders in trained.items()
        }
    )
    parts = split(store, protocol or first.protocol)
    evaluation = evaluate(kind, features, parts, config, seed=seed, device=device)
    beaten = {"chance": dict.fromkeys(evaluation.tests, chance(store.classes))}
    if floors:
        encoders = list(trained.values())
        beaten |= measure_floors(kind, encoders, store, parts, config, seed=seed, device=device)
    report = Report(
        title=f"{store.name}, {parts.name}: {', '.join(features.vectors)}",
        evaluations=[evaluation],
        features=features,
        pretraining={str(run): read_metrics(_folder(run)) for run in runs},
        about=_about(trained, store),
        baselines=beaten,
    )
    console = Console()
    console.print(_table(report))
    for note in evaluation.notes:
        console.print(note)
    results, page = write_report(report, out or _folder(runs[0]) / kind)
    console.print(f"results: {results}\nreport: {page}")
    return report


def _table(report: Report) -> Table:
    """Top-1 and top-k of each stream on each test, above what they must beat."""
    evaluation = report.evaluations[0]
    table = Table(title=f"{evaluation.kind}, protocol {evaluation.protocol}")
    table.add_column("stream")
    for test in evaluation.tests:
        first = next(iter(evaluation.metrics[test].values()))
        table.add_column(f"{test} top-1", justify="right")
        table.add_column(f"top-{first.k}", justify="right")
    for stream in next(iter(evaluation.metrics.values())):
        cells = []
        for test in evaluation.tests:
            numbers = evaluation.metrics[test][stream]
            cells += [f"{100 * numbers.top1:.1f}", f"{100 * numbers.top_k:.1f}"]
        table.add_row(stream, *cells)
    table.add_section()
    for name, top1 in report.baselines.items():
        cells = [cell for test in evaluation.tests for cell in (f"{100 * top1[test]:.1f}", "")]
        table.add_row(name, *cells, style="dim")
    return table


def _folder(run: Path) -> Path:
    return run if run.is_dir() else run.parent


def _about(trained: Mapping[str, TrainedEncoders], store: ClipStore) -> dict[str, str]:
    about = {"data": f"{store.name}, {len(store)} clips, layout {store.layout.name}"}
    for run, encoders in trained.items():
        facts = encoders.details
        about[run] = f"{', '.join(encoders.encoders)}; epoch {facts['epoch']}, seed {facts['seed']}"
    return about
