import copy
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import crosscale
from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.models import model as model_module
from crosscale.models.features import FeatureExtractor
from crosscale.models.model import load
from crosscale.skeleton.layout import Layout


@pytest.mark.slow
def test_the_package_offers_load_and_does_not_wait_for_torch():
    seen = "print('torch' in sys.modules)"
    told = f"import sys, crosscale; {seen}; crosscale.load; {seen}"
    command = [sys.executable, "-c", told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="lode"):
        crosscale.lode  # noqa: B018


def stream_features(model, store):
    """Features (N, D) of each stream, as its encoder gives them."""
    found = FeatureExtractor(model.trained)(model.prepare(store))
    return {stream: values.numpy() for stream, values in found.items()}


def test_an_embedding_is_the_streams_features_each_of_length_one(model, store):
    vectors, streams = model.embed(store), stream_features(model, store)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(store), model.dim) == (36, 16)
    assert model.streams == tuple(streams) == ("joint", "joint@part10")
    blocks = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in streams.values()]
    np.testing.assert_allclose(vectors, np.hstack(blocks) / np.sqrt(2), atol=1e-6)
    cosines = [block @ block.T for block in blocks]
    np.testing.assert_allclose(vectors @ vectors.T, np.mean(cosines, axis=0), atol=1e-6)


def test_features_are_those_of_the_training_code(model, store):
    from crosscale.models.features import embed_stream
    from crosscale.transforms.modality import Stream, StreamTransform
    from crosscale.transforms.preprocess import load as load_clips

    clips = load_clips(store, range(len(store)), model.trained.preprocess)
    for name, encoder in model.trained.encoders.items():
        transform = StreamTransform(Stream.parse(name), model.layout)
        plain = embed_stream(encoder, transform, clips).numpy()
        found = stream_features(model, store)[name]
        np.testing.assert_allclose(found, plain, atol=1e-5 * np.abs(plain).max())


@pytest.mark.parametrize("chunk", [1, 5, 36])
def test_company_does_not_change_a_vector(model, store, clips, chunk, monkeypatch):
    whole = model.embed(store)
    monkeypatch.setattr(model_module, "CHUNK", chunk)
    np.testing.assert_allclose(model.embed(store), whole, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(clips))
    np.testing.assert_allclose(model.embed([clips[i] for i in order]), whole[order], atol=1e-6)


def test_empty_bodies_do_not_change_a_vector(model, clips):
    alone = model.embed(clips)
    for places in ([1], [0], [0, 1]):
        padded = []
        for clip in clips:
            x = clip.coordinates
            empty = np.full_like(x, np.nan)
            bodies = [empty] * (1 + len(places))
            bodies[1 if places == [0] else 0] = x
            padded.append(np.concatenate(bodies, axis=1))
        np.testing.assert_allclose(model.embed(padded), alone, atol=1e-6)


def test_a_store_clips_and_arrays_give_the_same(model, store, clips):
    whole = model.embed(store)
    arrays = [clip.coordinates for clip in clips]
    np.testing.assert_allclose(model.embed(clips), whole, atol=1e-6)
    np.testing.assert_allclose(model.embed(arrays, "kinect20"), whole, atol=1e-6)
    np.testing.assert_allclose(model.embed([x[:, 0] for x in arrays]), whole, atol=1e-6)
    assert model.embed([]).shape == (0, model.dim)


def test_another_layout_is_refused_by_both_names(model):
    x = np.random.default_rng(0).normal(size=(9, 25, 3)).astype(np.float32)
    with pytest.raises(CrosscaleError, match=r"layout ntu25, .* trained on kinect20"):
        model.embed([x], "ntu25")
    with pytest.raises(CrosscaleError, match="clip 0 has 25 joints, layout kinect20 has 20"):
        model.embed([x])
    with pytest.raises(CrosscaleError, match="no layout 'kinect21'"):
        model.embed([x], "kinect21")


def test_broken_clips_are_named(model, act):
    x = act("bow")
    with pytest.raises(BadClip, match="clip 1: shows no body"):
        model.embed([x, np.full_like(x, np.nan)])
    broken = x.copy()
    broken[3, 0, 7, 1] = np.inf
    with pytest.raises(BadClip, match="clip 1: frame 3, body 0, joint 7"):
        model.embed([x, broken])
    with pytest.raises(BadClip, match=r"clip 0: coordinates have shape \(20, 3\)"):
        model.embed([x[0, 0]])
    with pytest.raises(CrosscaleError, match=r"\[2, 3\] coordinates"):
        model.embed([x, x[..., :2]])


def test_joints_missing_for_a_moment_are_filled_in_as_they_are_of_files(model, act, tmp_path):
    x = act("bow", frames=60)
    short, long, never = x.copy(), x.copy(), x.copy()
    short[3:10, 0, 7] = np.nan
    filled = x.copy()
    share = np.arange(1, 8, dtype=np.float32)[:, None] / 8
    filled[3:10, 0, 7] = x[2, 0, 7] + share * (x[10, 0, 7] - x[2, 0, 7])
    long[3:40, 0, 7] = np.nan
    without = x.copy()
    without[3:40] = np.nan
    found = model.embed([short, long])
    np.testing.assert_allclose(found, model.embed([filled, without]), atol=1e-5)
    np.savez(tmp_path / "a.npz", coordinates=short, layout="kinect20")
    np.testing.assert_allclose(found[:1], model.embed(tmp_path / "a.npz"), atol=1e-5)
    never[:, 0, 7] = np.nan
    joint = model.layout.joints[7]
    with pytest.raises(BadClip, match=f"clip 0, body 0: {joint} is seen in 0% of the frames"):
        model.embed(never)


def test_a_clip_whose_people_the_encoder_leaves_out_is_refused(model, act):
    one_body = replace(model.trained.preprocess, bodies=1)
    single = model_module.Model(replace(model.trained, preprocess=one_body))
    x = act("bow", frames=8)
    late = np.concatenate([np.full_like(x, np.nan), x], axis=1)
    clip = Clip("late", np.concatenate([np.concatenate([x, x], 1)[:1], late]), ("a", "b"))
    assert np.isfinite(single.embed([clip])).all()


def test_features_that_overflow_are_refused(model, act):
    with pytest.raises(BadClip, match=r"clip 1: gives no usable features.*metres"):
        model.embed([act("bow"), act("bow") * 1e30])


def test_missing_damaged_and_foreign_encoders_are_one_line(run, tmp_path):
    with pytest.raises(CrosscaleError, match="no trained encoder at"):
        load(tmp_path)
    whole = (run / "encoder.safetensors").read_bytes()
    (tmp_path / "encoder.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CrosscaleError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(CrosscaleError, match="no device 'gpu'"):
        load(run, device="gpu")
    assert load(run / "encoder.safetensors").fingerprint == load(run).fingerprint


def test_a_store_and_recordings_are_found_by_their_path(model, store, clips, tmp_path):
    whole = model.embed(store)
    np.testing.assert_allclose(model.embed(store.path), whole, atol=1e-6)
    np.testing.assert_allclose(model.embed(str(store.path)), whole, atol=1e-6)
    for clip in clips[:2]:
        np.savez(tmp_path / f"{clip.name}.npz", coordinates=clip.coordinates)
    found = model.embed(tmp_path, "kinect20")
    np.testing.assert_allclose(found, whole[:2], atol=1e-6)
    with pytest.raises(CrosscaleError, match="absent does not exist"):
        model.embed(tmp_path / "absent")


def test_one_clip_and_an_array_of_clips_are_taken(model, act):
    x = act("bow")
    whole = model.embed([x, act("hop")])
    np.testing.assert_allclose(model.embed(x), whole[:1], atol=1e-6)
    np.testing.assert_allclose(model.embed(Clip("a", x, ("0",))), whole[:1], atol=1e-6)
    np.testing.assert_allclose(model.embed(np.stack([x, act("hop")])), whole, atol=1e-6)


def test_it_is_a_module_that_can_be_copied_pickled_and_saved(model, store):
    whole = model.embed(store)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(torch.tensor(other.embed(store)), torch.tensor(whole))
        with torch.no_grad():
            next(other.encoders["joint"].parameters()).add_(1)
        assert not np.allclose(other.embed(store), whole, atol=1e-3)
        other.load_state_dict(model.state_dict())
        np.testing.assert_array_equal(other.embed(store), whole)
    np.testing.assert_array_equal(model.embed(store), whole)
    names = {name.split(".")[1] for name in model.state_dict()}
    assert names == {"joint", "joint@part10"}
    assert model.to("cpu") is model


def test_ones_own_training_loop_moves_the_embeddings(model, clips):
    own = copy.deepcopy(model).train()
    tensors = own.prepare(clips)
    head = torch.nn.Linear(8, 3)
    optimiser = torch.optim.AdamW([*own.parameters(), *head.parameters()], lr=0.01)
    labels = torch.arange(len(clips)) // 12
    before, losses = own.embed(clips), []
    for _ in range(8):
        features = own.forward_features(tensors.coordinates, tensors.body_mask)["joint"]
        loss = torch.nn.functional.cross_entropy(head(features), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert own.training
    own.eval()
    with torch.no_grad():
        live = own(tensors.coordinates, tensors.body_mask).numpy()
    np.testing.assert_allclose(own.embed(clips), live, atol=1e-5)
    assert not np.allclose(live, before, atol=1e-2)


def test_a_model_tells_what_it_is_and_which_encoder_is_meant(model, run):
    for told in ("joint@part10: stgcn, 8 numbers", "layout kinect20", model.fingerprint[:12]):
        assert told in repr(model)
    with pytest.raises(CrosscaleError, match=r"model\.encoders\['joint'\]"):
        model.encoder  # noqa: B018
    assert crosscale.load_model("parts").encoder is not None
    assert crosscale.load is crosscale.load_model


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: x, None),
        (lambda x: x * 1000, "tall in most clips"),
        (lambda x: x[..., [0, 2, 1]], "torsos lie along z"),
        (lambda x: x[..., :2] * 300, None),
        (lambda x: x[..., :2] * [300, -300], "turned over"),
    ],
)
def test_arrays_in_other_units_or_on_their_heads_are_told(change, told):
    layout = Layout.load("kinect20")
    upright = np.random.default_rng(0).normal(scale=0.1, size=(4, 9, 1, 20, 3))
    for pair, height in ((layout.hips, 0.9), (layout.shoulders, 1.5)):
        upright[..., list(pair), 1] += height
    upright[..., 0, 1] += 1.7
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        crosscale.load_model("body").embed(list(change(upright)), "kinect20")
    texts = [str(warning.message) for warning in found if warning.category is UserWarning]
    assert bool(texts) == bool(told)
    assert all(told in text for text in texts)


def test_arrays_of_a_picture_may_have_y_down_and_joints_not_found_at_its_corner():
    layout = Layout.load("coco17")
    upright = np.random.default_rng(0).uniform(200, 230, size=(3, 12, 1, 17, 2)).astype(np.float32)
    upright[..., list(layout.shoulders), 1] += 90
    model = crosscale.load_model("body-2d")
    pixels = np.rint(upright)
    np.testing.assert_array_equal(
        model.embed(pixels.astype(int), layout), model.embed(pixels, layout)
    )
    lost = upright.copy()
    lost[..., 3:5, :] = np.nan
    expected = model.embed(list(upright), layout)
    with pytest.warns(UserWarning, match="turned over"):
        down = model.embed(list(upright * np.float32([1, -1])), layout)
    np.testing.assert_allclose(down, expected, atol=1e-5)
    at_corner = np.nan_to_num(lost)
    np.testing.assert_array_equal(model.embed(at_corner, layout), model.embed(lost, layout))


def test_arrays_in_the_plane_may_lie_around_the_hips():
    """There 0 0 is a place, and no joint that was not found."""
    around = np.random.default_rng(0).normal(size=(12, 20, 2))
    around[:, 0] = 0
    around[:, list(Layout.load("kinect20").shoulders), 1] += 5
    around = around.astype(np.float32)
    model = crosscale.load_model("body-2d")
    moved = model.embed(around + np.float32([300, 400]), "kinect20")
    np.testing.assert_allclose(model.embed(around, "kinect20"), moved, atol=1e-4)
