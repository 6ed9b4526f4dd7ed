"""When a run is said to have collapsed, by numbers of real runs; the probe while one trains."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from crosscale.evaluation.knn import knn_scores
from crosscale.training import callbacks
from crosscale.training.callbacks import LONG, SOON, CollapseAlarm, NeighbourProbe

FEATURES = 128


def row(epoch, spread, positive, negative, loss=6.24):
    watched = {"spread": spread, "positive": positive, "negative": negative, "loss": loss}
    named = {f"joint/{name}": value for name, value in watched.items()}
    return {"epoch": epoch, **named, "loss_of_chance": 6.24}


def told(*rows):
    said = []
    alarm = CollapseAlarm(FEATURES, said.append)
    for epoch, values in enumerate(rows, start=1):
        alarm(row(epoch, *values))
    return said


SOUND = (0.0355, 0.909, 0.717, 5.01)
# Stage 2 on UTD-MHAD, epoch 70; these encoders were the second best of seven by linear evaluation.
NARROW = (0.0012, 0.975, 0.972, 6.70)
ALIKE = (0.00001, 1.0, 0.93, 5.3)
NOTHING_FOUND = (0.02, 0.3, 0.3)


@pytest.mark.parametrize("values", [SOUND, NARROW])
def test_sound_runs_are_left_alone_also_where_their_loss_is_above_chance(values):
    assert told(*[values] * 100) == []


def test_embeddings_that_are_all_alike_are_told_once_after_some_epochs():
    assert told(*[SOUND] * 5, *[ALIKE] * (SOON - 1), SOUND, *[ALIKE] * (SOON - 1)) == []
    (line,) = told(*[SOUND] * 5, *[ALIKE] * 50)
    assert line.startswith(f"by epoch {5 + SOON} the run has collapsed (joint: all embeddings are")


def test_a_queue_of_equal_keys_is_told_once_after_long():
    assert told(*[NOTHING_FOUND] * (LONG - 1), SOUND) == []
    (line,) = told(*[NOTHING_FOUND] * 50)
    assert line.startswith(
        f"by epoch {LONG} the run has collapsed (joint: for {LONG} epochs a clip"
    )
    assert "loss 6.24 where chance is 6.24" in line


def test_every_stream_is_looked_at():
    said = []
    alarm = CollapseAlarm(FEATURES, said.append)
    for epoch in range(SOON):
        other = {k.replace("joint", "motion"): v for k, v in row(epoch, *ALIKE).items()}
        alarm({**row(epoch, *SOUND), **other})
    assert "(motion: all embeddings" in said[0]


def test_the_probe_judges_one_half_by_the_other_as_nearest_neighbours_do(monkeypatch):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(90, 4)).astype(np.float32) * rng.uniform(0.1, 9, (90, 1))
    labels = rng.integers(0, 3, 90)
    known, asked = np.arange(0, 90, 3), np.arange(1, 90, 3)
    monkeypatch.setattr(
        callbacks,
        "embed_stream",
        lambda encoder, transform, clips: torch.from_numpy(features[clips]),
    )
    clips = SimpleNamespace(take=lambda numbers: numbers.numpy())
    method = SimpleNamespace(encoders=lambda: {"joint": None}, transforms=[None])
    measured = NeighbourProbe(clips, known, asked, labels)(method)
    scores = knn_scores(features[known], labels[known], features[asked], 3)
    assert measured == {"joint/knn": (scores.argmax(axis=1) == labels[asked]).mean()}
