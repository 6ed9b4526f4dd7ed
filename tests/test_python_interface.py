"""What `import crosscale` offers."""

import json
import pydoc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import crosscale
from crosscale.errors import CrosscaleError
from crosscale.transforms.preprocess import Preprocess, load

STORE = Path(__file__).parent / "v01" / "store"
NAMES = {
    "Clip",
    "ClipDataset",
    "Layout",
    "create_encoder",
    "evaluate",
    "list_encoders",
    "list_objectives",
    "list_recipes",
    "load_model",
    "open_store",
    "pretrain",
}


def test_all_of_it_is_shown_and_there():
    assert set(dir(crosscale)) >= NAMES
    for name in NAMES:
        assert getattr(crosscale, name).__doc__, name
    told = pydoc.plain(pydoc.render_doc(crosscale))
    assert all(name in told for name in ("load_model", "pretrain", "open_store"))
    with pytest.raises(AttributeError, match="load_modell"):
        crosscale.load_modell  # noqa: B018


def test_importing_it_waits_for_nothing():
    asked = (
        "import crosscale, sys; dir(crosscale); "
        "print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() == "[]"


def test_a_store_gives_clips_by_row_by_name_and_one_after_the_other():
    store = crosscale.open_store(STORE)
    clips = list(store)
    assert [clip.name for clip in clips] == store.names
    last = store[-1]
    assert last.name == store[store.names[-1]].name == store.names[-1]
    np.testing.assert_array_equal(last.coordinates, store.coordinates(len(store) - 1))
    assert last.label == store.classes[store.labels[-1]]
    assert {clip.subject for clip in clips} == set(store.column("subject").tolist())
    with pytest.raises(IndexError):
        store[len(store)]
    with pytest.raises(KeyError):
        store["nobody"]


def test_a_loader_of_ones_own_gets_prepared_clips():
    store = crosscale.open_store(STORE)
    preprocess = Preprocess(frames=8, bodies=2)
    dataset = crosscale.ClipDataset(store, preprocess, protocol="xsub")
    whole = load(store, dataset.rows, preprocess)
    seen = list(DataLoader(dataset, batch_size=5))
    assert torch.equal(torch.cat([x for x, _, _ in seen]), whole.coordinates)
    assert torch.equal(torch.cat([mask for _, mask, _ in seen]), whole.body_mask)
    assert torch.cat([labels for _, _, labels in seen]).tolist() == (
        store.labels[dataset.rows].tolist()
    )
    coordinates, body_mask, label = dataset[3]
    assert torch.equal(coordinates, whole.coordinates[3])
    assert torch.equal(body_mask, whole.body_mask[3])
    assert label == store.labels[dataset.rows[3]]
    with pytest.raises(CrosscaleError, match="no part 'test'"):
        crosscale.ClipDataset(store, protocol="xsub", part="test")


def test_an_encoder_is_made_by_name():
    graph = crosscale.Layout.load("ntu25").scale("part10")
    encoder = crosscale.create_encoder("stgcn", graph, hidden=4, width=16)
    assert encoder(torch.randn(2, 3, 16, 10, 1)).shape == (2, encoder.dim) == (2, 16)
    assert "stgcn" in crosscale.list_encoders()
    with pytest.raises(CrosscaleError, match="did you mean 'stgcn'"):
        crosscale.create_encoder("stgc", graph)
    with pytest.raises(CrosscaleError, match="hiden"):
        crosscale.create_encoder("stgcn", graph, hiden=4)


def test_pre_training_is_a_function(tmp_path):
    settings = {"training.epochs": 1, "encoder.hidden": 2, "encoder.width": 8, "knn_every": 0}
    seen = []
    written = crosscale.pretrain(
        "own/skeletonclr",
        STORE,
        tmp_path / "run",
        settings=settings,
        callbacks=[lambda done: seen.append(done.metrics["loss"])],
        device="cpu",
    )
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert seen == [rows[0]["loss"]]
    assert crosscale.load_model(written).embed(crosscale.open_store(STORE)).shape == (24, 8)
    assert "own/skeletonclr" in crosscale.list_recipes()
    assert "moco" in crosscale.list_objectives()
