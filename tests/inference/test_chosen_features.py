"""By what clips are told apart: chosen by the labelled ones, kept in a head, told to the user."""

from dataclasses import replace

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.errors import CrosscaleError
from crosscale.inference.features import Candidates, fit_best, saved
from crosscale.inference.head import LinearHead, NeighbourHead
from crosscale.inference.head_file import FittedHead, load_head, save_head
from crosscale.inference.labels import label_names
from crosscale.models.model import load_model
from crosscale.models.side_by_side import SideBySide
from crosscale.skeleton.layout import Layout


@pytest.fixture(scope="module")
def candidates(model, store):
    return Candidates.of(model, "auto", store.layout)


def vectors_of(candidates, good, clips=30):
    """Vectors of the widest kind in which blocks named in `good` tell three classes."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], clips // 3)
    codes = np.repeat([0, 1, 2], clips // 3)
    blocks = []
    for kind, dim in (("encoder", candidates.model.dim), ("rocket", candidates.rocket.dim)):
        block = rng.normal(size=(clips, dim))
        if kind in good:
            block += 3 * rng.normal(size=(3, dim))[codes]
        blocks.append(block / np.linalg.norm(block, axis=1, keepdims=True) / 2**0.5)
    return np.concatenate(blocks, axis=1).astype(np.float32), labels


def test_both_are_blocks_side_by_side_of_which_each_can_be_cut(candidates, model, store):
    rocket = load_model("rocket")
    assert candidates.kinds == ("encoder", "rocket", "both")
    both = SideBySide([model, rocket])
    (wide,) = both.chunks(store)
    assert wide.shape == (len(store), both.dim) == (len(store), model.dim + 9_996)
    np.testing.assert_allclose(np.linalg.norm(wide, axis=1), 1, atol=1e-5)
    for kind, alone in (("encoder", model), ("rocket", rocket)):
        np.testing.assert_allclose(candidates.columns(wide, kind), alone.embed(store), atol=1e-6)
        assert candidates.embedder(kind).fingerprint == alone.fingerprint
    assert both.fingerprint not in (model.fingerprint, rocket.fingerprint)
    present, shown = both.embed_present(store, range(len(store)))
    np.testing.assert_allclose(present, wide, atol=1e-6)
    assert shown.all()


@pytest.mark.parametrize("head", [LinearHead, NeighbourHead])
@pytest.mark.parametrize("good", ["encoder", "rocket"])
def test_what_tells_the_labelled_clips_apart_is_chosen_and_told(candidates, good, head):
    vectors, labels = vectors_of(candidates, [good])
    chosen = fit_best(candidates, vectors, labels, None, head)
    assert chosen.kind == good
    assert chosen.head.cv_accuracy_ == 1
    assert {"encoder": "the encoder", "rocket": "MiniRocket"}[good] in chosen.why.split("(")[0]
    assert "both side by side" in chosen.why


def test_of_equals_the_shortest_is_taken(candidates):
    vectors, labels = vectors_of(candidates, ["encoder", "rocket"])
    chosen = fit_best(candidates, vectors, labels, None, LinearHead)
    assert chosen.kind == "encoder"
    assert chosen.why.startswith("the encoder (held-out labelled clips named right: the encoder 1")
    assert chosen.why.endswith("; of equals the first is taken)")


def test_where_nothing_can_be_held_out_both_are_taken_and_that_is_told(candidates):
    vectors, labels = vectors_of(candidates, ["encoder"], clips=3)
    chosen = fit_best(candidates, vectors, labels, None, LinearHead)
    assert chosen.kind == "both"
    assert "no labelled clip can be spared" in chosen.why


def test_a_long_part_does_not_drown_a_short_one(candidates):
    """Of both side by side, each part has half of the variance."""
    vectors, labels = vectors_of(candidates, ["encoder"])
    parts = candidates.parts("both")
    vectors[:, parts[0] :] *= 20
    head = LinearHead().fit(vectors, labels, parts=parts)
    scaled = (vectors - head.mean_) * head.scale_
    shares = [block.var(axis=0).sum() for block in np.split(scaled, [parts[0]], axis=1)]
    np.testing.assert_allclose(shares, 0.5, rtol=0.05)
    assert head.cv_accuracy_ > LinearHead().fit(vectors, labels).cv_accuracy_


def test_there_is_no_choice_where_the_encoder_is_all_there_is(model, store):
    rocket = load_model("rocket")
    assert Candidates.of(rocket, "auto", store.layout).kinds == ("encoder",)
    no_parts = Layout.from_dict({**store.layout.to_dict(), "name": "bare", "scales": {}})
    assert Candidates.of(model, "auto", no_parts).kinds == ("encoder",)
    assert Candidates.of(model, "encoder", store.layout).kinds == ("encoder",)
    with pytest.raises(CrosscaleError, match="cannot be brought to part10"):
        Candidates.of(model, "both", no_parts)


def test_a_saved_head_says_of_which_features_it_is(candidates, model, store, tmp_path):
    vectors, labels = np.concatenate([*candidates.widest.chunks(store)]), label_names(store)
    path = tmp_path / "head"
    for kind in candidates.kinds:
        head = LinearHead().fit(candidates.columns(vectors, kind), labels.astype(str))
        made = FittedHead(head, candidates.embedder(kind).fingerprint, features=kind)
        save_head(made, path)
        again, embedder = saved(path, model)
        assert again.features == load_head(path).features == kind
        assert embedder.fingerprint == made.encoder
        (own,) = embedder.chunks(store)
        np.testing.assert_array_equal(again.head.predict(own), head.predict(own))
    save_head(replace(made, features="smells"), path)
    with pytest.raises(CrosscaleError, match="knows features 'smells'"):
        saved(path, model)


def test_classify_says_what_it_chose_and_the_head_is_used_so(run, store, tmp_path, capsys):
    table = tmp_path / "labels.csv"
    names = [name for name in store.names if int(name[-2:]) < 4]
    table.write_text("name,label\n" + "".join(f"{n},{n.split('_')[0]}\n" for n in names))
    path, out = tmp_path / "head", tmp_path / "named.csv"
    fit = ["classify", str(run), str(store.path), "--out", str(out)]
    assert main([*fit, "--labels", str(table), "--save", str(path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "features: MiniRocket (held-out labelled clips named right: the encoder" in told
    assert "of equals the first is taken" in told
    for kind in ("rocket", "both"):
        words = [*fit, "--labels", str(table), "--features", kind, "--save", str(path)]
        assert main(words) == 0
        assert "features: " not in capsys.readouterr().out
        assert load_head(path).features == kind
        assert main([*fit, "--head", str(path)]) == 0
        again = out.read_text()
        assert again.count("\n") == len(store) + 1
        segments = str(tmp_path / "segments.csv")
        cut = ["segment", str(run), str(store.path), "--head", str(path), "--out", segments]
        assert main(cut) == 0
