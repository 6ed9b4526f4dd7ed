"""The probe while a run trains."""

from types import SimpleNamespace

import numpy as np
import torch

from crosscale.evaluation import online
from crosscale.evaluation.online import NeighbourProbe
from crosscale.evaluation.probes.knn import knn_scores
from crosscale.skeleton.layout import Layout
from crosscale.training.callbacks import EpochEnd


def test_it_judges_one_half_by_the_other_as_nearest_neighbours_do_when_a_look_is_due(monkeypatch):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(90, 4)).astype(np.float32) * rng.uniform(0.1, 9, (90, 1))
    labels = rng.integers(0, 3, 90)
    gallery, query = np.arange(0, 90, 3), np.arange(1, 90, 3)
    monkeypatch.setattr(
        online, "embed_stream", lambda encoder, transform, clips: torch.from_numpy(features[clips])
    )
    source = SimpleNamespace(
        labels=torch.from_numpy(labels),
        layout=Layout.load("kinect20"),
        clips=SimpleNamespace(take=lambda numbers: numbers.numpy()),
    )
    probe = NeighbourProbe(source, gallery, query, every=2)
    objective = SimpleNamespace(encoders=lambda: {"joint": None})
    first, second = (EpochEnd(epoch, 2, {}, 0.0, objective) for epoch in (1, 2))
    probe(first)
    probe(second)
    assert first.metrics == {}
    scores = knn_scores(features[gallery], labels[gallery], features[query], 3)
    assert second.metrics == {"joint/knn": (scores.argmax(axis=1) == labels[query]).mean()}
