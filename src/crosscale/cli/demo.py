"""`crosscale demo`: the whole main job on synthetic recordings, in minutes."""

from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from crosscale.cli.data import prepare
from crosscale.cli.evaluate import linear
from crosscale.cli.pretrain import read_recipe, train
from crosscale.cli.synth import synth
from crosscale.data.protocol import split
from crosscale.data.store import ClipStore
from crosscale.evaluate.baselines import raw_features
from crosscale.evaluate.evaluation import evaluate
from crosscale.evaluate.extract import extract
from crosscale.recipe import Recipe
from crosscale.run import untrained_encoders
from crosscale.streams.preprocess import load


def demo(*, out: Path = Path("demo"), epochs: int = 30, seed: int = 0) -> dict[str, float]:
    """Make synthetic recordings, prepare, pre-train, evaluate, and show the report's path.

    The recordings are synthetic stick figures: the figures say that everything works, and nothing
    about real data.

    Args:
        out: the folder to make.
        epochs: of pre-training.
        seed: of everything random.

    Returns:
        Top-1 of the pre-trained encoder and of what it must beat, as shares from 0 to 1.
    """
    console = Console()
    recordings, store, run = out / "recordings", out / "store", out / "run"
    synth(recordings, seed=seed)
    prepare("ntu60", recordings, out=store)
    recipe = read_recipe("synthetic/crosscale", {"seed": seed, "optimisation.epochs": epochs})
    train(recipe, data=store, out=run)
    evaluation = linear([run])
    test = next(iter(evaluation.tests))
    found = {"pre-trained, linear": list(evaluation.metrics[test].values())[-1].top1}
    found |= _floors(ClipStore.open(store), recipe)
    table = Table(title="top-1 on the synthetic actors that did not train")
    table.add_column("")
    table.add_column("%", justify="right")
    for name, share in found.items():
        table.add_row(name, f"{100 * share:.1f}")
    console.print(table)
    console.print(f"the report: {run / 'linear' / 'report.html'}")
    return found


def _floors(store: ClipStore, recipe: Recipe) -> dict[str, float]:
    """What anything learned must beat: an untrained encoder, raw coordinates, guessing."""
    parts = split(store, recipe.protocol)
    test = next(iter(parts.tests))
    untrained = untrained_encoders(recipe, store.layout, store.classes)
    features = extract(untrained, store, torch.device("cpu"))
    clips = load(store, range(len(store)), recipe.preprocess)
    raw = raw_features(store.names, store.labels, store.classes, clips.coordinates)
    linear_floor = evaluate("linear", features, parts, seed=recipe.seed).metrics[test]
    nearest = evaluate("knn", raw, parts).metrics[test]
    return {
        "untrained encoder, linear": list(linear_floor.values())[-1].top1,
        "raw coordinates, nearest neighbour": list(nearest.values())[-1].top1,
        "chance": 1 / len(set(store.labels.tolist())),
    }
