"""Every objective learns, in a minute of one thread, what an untrained encoder does not know."""

import numpy as np
import pytest

import crosscale
from crosscale.cli import main
from crosscale.data.splits import split
from crosscale.evaluation.probes.knn import knn_scores
from crosscale.models.checkpoint import untrained
from crosscale.models.model import Model
from crosscale.objectives import OBJECTIVES

SETTINGS = {
    "streams": ["joint@part10"],
    "encoder.name": "tcn",
    "encoder.width": 32,
    "training.epochs": 60,
    "training.batch_size": 32,
    "knn_every": 0,
    "save_every": 60,
}
# Those of the recipes of each objective, where the data's are not meant for it.
ADAMW = {"optimiser.name": "adamw", "optimiser.lr": 2e-3}
LONGER = {"training.epochs": 120, "save_every": 120}  # half is enough on some machines only
OWN = {
    "moco": {**ADAMW, **LONGER},
    "infonce": ADAMW,
    "vicreg": {**ADAMW, "objective.dim": 256},
    # A teacher that follows within so few steps.
    "masked": {**ADAMW, "training.epochs": 200, "save_every": 200, "objective.momentum": 0.95},
    "sum": {
        **ADAMW,
        "objective.parts": [
            {"name": "infonce"},
            {"name": "vicreg", "weight": 0.04, "dim": 256, "dense": 0.5, "nodes": 0.3},
        ],
    },
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    made = ["synth", str(folder / "raw"), "--classes=8", "--subjects=20", "--cameras=1"]
    assert main([*made, "--repetitions=2", "--frames=[30,50]"]) == 0
    assert main(["prepare", "ntu60", str(folder / "raw"), "--out", str(folder / "store")]) == 0
    return crosscale.open_store(folder / "store")


def top1(model, store):
    """Accuracy of nearest neighbours among other actors than those that trained."""
    parts = split(store, "xsub")
    vectors, test = model.embed(store), next(iter(parts.tests.values()))
    scores = knn_scores(
        vectors[parts.train],
        store.labels[parts.train],
        vectors[test],
        len(store.classes),
    )
    return float(np.mean(scores.argmax(axis=1) == store.labels[test]))


@pytest.mark.slow
@pytest.mark.parametrize("objective", sorted(OBJECTIVES.built_in()))
def test_its_encoder_knows_more_than_an_untrained_one(store, tmp_path, objective):
    settings = {**SETTINGS, "objective.name": objective, **OWN.get(objective, {})}
    run = crosscale.pretrain(
        "synthetic/skeletonclr",
        store.path,
        tmp_path / "run",
        settings=settings,
        device="cpu",
        say=lambda text: None,
    )
    trained = crosscale.load_model(run)
    fresh = [top1(Model(untrained(trained.trained, seed)), store) for seed in range(3)]
    learned = top1(trained, store)
    assert learned > max(fresh) + 0.05
