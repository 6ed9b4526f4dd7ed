"""A linear layer that is fitted after training travels with the encoders."""

import numpy as np
import pytest
import torch

from crosscale.encoders.readout import OutputLayer
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.checkpoint import (
    ENCODER_FILE,
    FORMAT,
    load_encoders,
    rewritten,
    untrained,
    with_output,
)
from crosscale.models.export import export_torch
from crosscale.models.features import FeatureExtractor
from crosscale.models.hub import resolve
from crosscale.models.model import Model, load_model
from crosscale.models.published_file import write_published
from crosscale.utils.tensors import read_safetensors, write_safetensors

WIDTHS = {"joint": 3, "joint@part10": 5}


@pytest.fixture(scope="module")
def fitted(model):
    """Random axes over the nodes of the last two blocks."""
    random = torch.Generator().manual_seed(0)
    read = FeatureExtractor(model.trained, pooling="nodes", layers=2).parts
    layers = {
        stream: OutputLayer(
            torch.randn(sum(read[stream]), generator=random),
            torch.randn(sum(read[stream]), width, generator=random),
        )
        for stream, width in WIDTHS.items()
    }
    return with_output(model.trained, layers, "nodes", 2)


def test_it_is_applied_to_what_is_read(model, fitted, store):
    clips = model.prepare(store)
    read = FeatureExtractor(model.trained, pooling="nodes", layers=2)(clips)
    found = FeatureExtractor(fitted)(clips)
    for stream, layer in fitted.output.by_stream.items():
        right = (read[stream] - layer.mean) @ layer.axes
        np.testing.assert_allclose(found[stream], right, atol=1e-4 * right.abs().max())


def test_it_makes_the_embedding_as_long_as_its_axes_are_many(fitted, store):
    model = Model(fitted)
    assert (model.dim, model.dims) == (8, WIDTHS)
    vectors = model.embed(store)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    clips = model.prepare(store)
    live = model(clips.coordinates, clips.body_mask)
    np.testing.assert_allclose(live.detach(), vectors, atol=1e-5)
    live.sum().backward()
    assert next(model.encoders["joint"].parameters()).grad is not None
    for parameter in model.parameters():
        parameter.grad = None


def test_it_is_saved_and_loaded_with_the_encoders(fitted, store, tmp_path):
    rewritten(fitted, tmp_path)
    back = load_encoders(tmp_path)
    assert (back.output.pooling, back.output.layers) == ("nodes", 2)
    assert back.details["classes"] == fitted.details["classes"]
    np.testing.assert_array_equal(load_model(tmp_path).embed(store), Model(fitted).embed(store))
    rewritten(back, tmp_path / "again")
    assert load_encoders(tmp_path / "again").fingerprint == back.fingerprint


def test_half_precision_takes_half_the_room_and_hardly_changes_embeddings(fitted, store, tmp_path):
    whole, half = (rewritten(fitted, tmp_path / str(half), half) for half in (False, True))
    tensors, _ = read_safetensors(half, FORMAT)
    assert {x.dtype for x in tensors.values() if x.is_floating_point()} == {torch.float16}
    one, other = (load_model(path).embed(store) for path in (whole, half))
    np.testing.assert_allclose(one, other, atol=5e-3)


def test_other_layers_make_other_embeddings_and_say_so(model, fitted):
    assert fitted.fingerprint != model.fingerprint
    doubled = {s: OutputLayer(x.mean, 2 * x.axes) for s, x in fitted.output.by_stream.items()}
    assert with_output(fitted, doubled, "nodes", 2).fingerprint != fitted.fingerprint
    assert untrained(fitted, 0).output is None


def test_layers_that_do_not_fit_are_refused(model, fitted, tmp_path):
    layers = fitted.output.by_stream
    with pytest.raises(CrosscaleError, match="the output layer takes 480 features, 8 are read"):
        with_output(model.trained, layers, "mean", 1)
    with pytest.raises(CrosscaleError, match="output layers of joint do not fit"):
        with_output(model.trained, {"joint": layers["joint"]}, "nodes", 2)
    with pytest.raises(CrosscaleError, match=r"mean \(D,\) and axes"):
        OutputLayer(torch.zeros(3), torch.zeros(4, 2))
    rewritten(fitted, tmp_path)
    tensors, facts = read_safetensors(tmp_path / ENCODER_FILE, FORMAT)
    del tensors["output/joint/mean"]
    write_safetensors(tmp_path / ENCODER_FILE, tensors, facts)
    with pytest.raises(BadCheckpoint, match="no whole output layer of stream joint"):
        load_encoders(tmp_path)


def test_a_file_of_0_1_has_none_and_embeds_as_one_of_today(tmp_path):
    old = load_encoders(resolve("parts"))
    assert old.details["format"] == "crosscale encoder 1"
    assert old.output is None
    rewritten(old, tmp_path)
    clips = [np.random.default_rng(0).normal(size=(30, 1, 10, 3))]
    np.testing.assert_array_equal(load_model(tmp_path).embed(clips), Model(old).embed(clips))


def test_the_published_code_does_not_know_it(fitted, tmp_path):
    with pytest.raises(CrosscaleError, match="no output layer"):
        write_published(fitted, tmp_path / "a.pt")


@pytest.mark.slow
def test_it_is_exported(fitted, tmp_path):
    assert max(export_torch(fitted, tmp_path / "a.pt2").differences.values()) < 1e-4
