"""An encoder that knows nothing of folding or engines goes wherever others go."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from crosscale.cli import main
from crosscale.encoders.base import Encoder
from crosscale.models.checkpoint import load_encoders, save_encoders
from crosscale.models.export import export_torch
from crosscale.models.features import FeatureExtractor
from crosscale.models.model import load_model
from crosscale.transforms.preprocess import Preprocess
from stick_figures import LAYOUT


class Tiny(Encoder):
    @dataclass(frozen=True)
    class Settings:
        width: int = 6

    def __init__(self, graph, settings, channels=3):
        super().__init__(graph, settings, dim=settings.width)
        self.wide = nn.Conv2d(channels, 8, (3, 1), padding=(1, 0))
        self.out = nn.Conv2d(8, settings.width, 1)

    def forward_features(self, x, edge_mask=None, token_mask=None):
        return self.out(torch.relu(self.wide(x))).transpose(2, 3)


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny") / "run"
    encoder = Tiny(LAYOUT.scale("joints"), Tiny.Settings(5)).eval()
    facts = {"classes": store.classes, "protocol": "random_subjects", "store": store.name}
    facts |= {"epoch": 1, "seed": 0, "data": store.path}
    save_encoders(folder, {"joint": encoder}, LAYOUT, Preprocess(frames=16), **facts)
    return folder


def test_it_is_loaded_by_name_and_embeds(run, store):
    model = load_model(run)
    assert isinstance(model.encoder, Tiny)
    assert model.dim == 5
    vectors = model.embed(store)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    clips = model.prepare(store)
    with torch.no_grad():
        np.testing.assert_allclose(model(clips.coordinates, clips.body_mask), vectors, atol=1e-5)


def test_it_is_read_node_by_node(run, store):
    trained = load_encoders(run)
    extract = FeatureExtractor(trained, pooling="nodes", layers="all")
    found = extract(load_model(run).prepare(store))["joint"]
    assert found.shape == (len(store), 20 * 5)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.slow
def test_engines_run_it(run, store, engine):
    pytest.importorskip(engine)
    right = load_model(run).embed(store)
    np.testing.assert_allclose(load_model(run, engine=engine).embed(store), right, atol=1e-4)


def test_it_is_evaluated_and_indexed_by_the_commands(run, store, tmp_path):
    assert main(["evaluate", "knn", str(run), "--out", str(tmp_path / "knn")]) == 0
    assert (tmp_path / "knn" / "results.json").is_file()
    assert main(["index", str(run), str(store.path), "--out", str(tmp_path / "index")]) == 0
    found = tmp_path / "found.csv"
    assert main(["search", str(tmp_path / "index"), store.names[0], "--out", str(found)]) == 0


@pytest.mark.slow
def test_it_is_exported(run, tmp_path):
    made = export_torch(load_encoders(run), tmp_path / "tiny.pt2")
    assert made.differences["joint"] < 1e-4
    assert json.loads(made.description.read_text())["inputs"]["coordinates"]["shape"][2] == "frames"


class OfOneLength(Tiny):
    """As encoders with a table of places in time are."""

    def __init__(self, graph, settings, channels=3):
        super().__init__(graph, settings, channels)
        self.places = nn.Parameter(torch.randn(1, channels, 16, 1))

    def forward_features(self, x, edge_mask=None, token_mask=None):
        return super().forward_features(x + self.places)


@pytest.mark.slow
def test_one_that_takes_a_single_length_is_exported_for_it(run, tmp_path):
    trained = load_encoders(run)
    encoder = OfOneLength(LAYOUT.scale("joints"), Tiny.Settings(5)).eval()
    made = export_torch(replace(trained, encoders={"joint": encoder}), tmp_path / "a.pt2")
    assert made.differences["joint"] < 1e-4
    assert json.loads(made.description.read_text())["inputs"]["coordinates"]["shape"][2] == 16
