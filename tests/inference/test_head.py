from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from crosscale.data.store import ClipStore
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.evaluation.metrics import calibration_error
from crosscale.inference.answers import NONE, answer
from crosscale.inference.head import LinearHead, NeighbourHead, _folds, best_temperature, make_head
from crosscale.inference.head_file import FittedHead, load_head, save_head
from crosscale.models.model import load_model
from crosscale.readers import make_reader
from crosscale.readers.prepare import prepare
from crosscale.utils.tensors import read_safetensors, write_safetensors

BOTH = pytest.mark.parametrize("kind", ["linear", "knn"])


def blobs(clips=10, classes=4, noise=0.5, width=12, seed=0):
    """Points of unit length around a direction for each class, and the classes' names."""
    centres = np.random.default_rng(9).normal(size=(classes, width))
    labels = np.repeat(np.arange(classes), clips)
    rng = np.random.default_rng(seed)
    x = centres[labels] + noise * rng.normal(size=(len(labels), width))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(np.float32), np.array([f"class{i}" for i in labels])


@pytest.mark.slow
@parametrize_with_checks([LinearHead(), NeighbourHead()])
def test_heads_are_estimators_as_scikit_learn_wants_them(estimator, check):
    check(estimator)


@BOTH
def test_it_learns_and_fits_into_scikit_learn(kind):
    x, y = blobs()
    head = make_head(kind).fit(x, y)
    new, true = blobs(clips=50, seed=1)
    assert (head.predict(new) == true).mean() > 0.9
    np.testing.assert_allclose(head.predict_proba(new).sum(axis=1), 1)
    assert cross_val_score(clone(head), x, y, cv=3).mean() > 0.9
    assert head.get_params() == {"false_rejection": 0.05}


@BOTH
def test_two_classes_are_answered_like_more(kind):
    x, y = blobs(classes=2)
    head = make_head(kind).fit(x, y)
    assert head.predict_proba(x).shape == (20, 2)
    assert (head.predict(x) == y).all()


@BOTH
@pytest.mark.parametrize("noise", [0.6, 1.2, 2.0])
def test_probabilities_are_calibrated_however_hard_it_is(kind, noise):
    x, y = blobs(clips=25, noise=noise)
    head = make_head(kind).fit(x, y)
    new, true = blobs(clips=500, noise=noise, seed=1)
    right = head.predict(new) == true
    assert calibration_error(head.predict_proba(new), right) < 0.12
    assert head.cv_accuracy_ == pytest.approx(right.mean(), abs=0.12)


@BOTH
@pytest.mark.parametrize("clips", [2, 3, 5])
def test_held_out_clips_that_are_all_right_make_nothing_certain(kind, clips):
    x, y = blobs(clips=clips, noise=0.05)
    head = make_head(kind).fit(x, y)
    assert head.cv_accuracy_ == 1
    assert 0.3 < head.temperature_ / make_head(kind).fit(*blobs(clips=1)).temperature_ < 1


def test_many_held_out_clips_outweigh_what_is_usual():
    rng = np.random.default_rng(0)
    scores = 2 * rng.normal(size=(2000, 4))
    codes = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)  # as their softmax says
    for temperature in (0.02, 20.0):
        found = best_temperature(temperature * scores, codes, usual=0.7)
        assert found == pytest.approx(temperature, rel=0.1)


@pytest.fixture(scope="module")
def embedded(shared, tmp_path_factory):
    """Embeddings and labels of UTD-MHAD by `body`."""
    out = tmp_path_factory.mktemp("calibration") / "store"
    prepare(make_reader("utdmhad"), shared("data/utd-mhad"), out)
    store = ClipStore.open(out)
    return load_model("body").embed(store), store.labels


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize(("labels", "off"), [(3, 0.09), (5, 0.07), (10, 0.05)])
def test_probabilities_of_real_clips_are_honest_with_few_labels(kind, labels, off, embedded):
    x, y = embedded
    errors, rng = [], np.random.default_rng(0)
    for _ in range(2):
        each = [rng.choice(np.flatnonzero(y == k), labels, replace=False) for k in range(27)]
        train = np.concatenate(each)
        test = np.setdiff1d(np.arange(len(y)), train)
        head = make_head(kind).fit(x[train], y[train])
        right = head.predict(x[test]) == y[test]
        errors.append(calibration_error(head.predict_proba(x[test]), right))
    assert np.mean(errors) < off


@BOTH
@pytest.mark.parametrize(
    "rate",
    [pytest.param(0.02, marks=pytest.mark.slow), 0.1, pytest.param(0.3, marks=pytest.mark.slow)],
)
def test_known_clips_are_rejected_about_as_often_as_stated(kind, rate):
    rejected = []
    for seed in range(5):
        x, y = blobs(clips=30, noise=0.8, seed=seed)
        head = make_head(kind, rate).fit(x, y)
        rejected.append(1 - head.known(blobs(clips=200, noise=0.8, seed=seed + 50)[0]).mean())
    assert np.mean(rejected) == pytest.approx(rate, abs=0.02 + 0.3 * rate)


@BOTH
def test_clips_of_another_class_are_none_of_these(kind):
    x, y = blobs(clips=20, classes=5, noise=0.3)
    foreign = y == "class4"
    head = make_head(kind).fit(x[~foreign], y[~foreign])
    answers = answer(head, x[foreign], ["a clip"] * foreign.sum()).to_pylist()
    none = [one for one in answers if one["label"] == NONE]
    assert len(none) / len(answers) > 0.9
    assert {one["probability"] for one in none} == {None}
    assert {one["runner_up"] for one in answers} <= set(head.classes_)


@BOTH
def test_with_one_clip_a_class_nothing_is_held_out_and_nothing_rejected(kind):
    x, y = blobs(clips=1)
    head = make_head(kind).fit(x, y)
    assert (head.cv_clips_, head.threshold_) == (0, -np.inf)
    assert np.isnan(head.cv_accuracy_)
    assert head.known(-x).all()
    assert (head.predict(x) == y).all()


@BOTH
@pytest.mark.parametrize("clips", [2, 3])
def test_with_two_or_three_clips_a_class_each_is_held_out_once(kind, clips):
    x, y = blobs(clips=clips, noise=0.2)
    head = make_head(kind).fit(x, y)
    assert head.cv_clips_ == len(x)
    assert head.cv_accuracy_ == 1
    assert np.isfinite(head.threshold_)


@BOTH
def test_a_class_of_one_clip_trains_in_every_fold(kind):
    x, y = blobs(clips=5)
    kept = np.r_[np.arange(15), 15]  # one clip of the last class
    head = make_head(kind).fit(x[kept], y[kept])
    assert head.cv_clips_ == 15
    assert list(head.classes_) == ["class0", "class1", "class2", "class3"]


def test_the_threshold_is_the_conformal_quantile():
    x, y = blobs(clips=10, classes=2, noise=0.9)
    thresholds = [make_head("knn", rate).fit(x, y).threshold_ for rate in (0, 0.01, 0.1, 0.5)]
    assert thresholds[0] == -np.inf
    assert thresholds == sorted(thresholds)
    codes = (y == "class1").astype(int)
    familiarity = make_head("knn").fit(x, y)._held_out(x, codes, _folds(codes, None)[0], None)[2]
    assert thresholds[1:] == np.sort(familiarity)[[0, 1, 9]].tolist()  # of 20: rank 1, 2 and 10


def performed(clips=12, people=4, manner=0.6, seed=0, width=12):
    """As `blobs`, but everybody moves in a manner of their own: clips, classes and people."""
    rng = np.random.default_rng(seed)
    x, y = blobs(clips * people, noise=0.25, width=width, seed=seed)
    who = np.tile(np.repeat(np.arange(people), clips), 4)
    ways = manner * rng.normal(size=(4, people, width))
    x = x + ways[np.repeat(np.arange(4), clips * people), who]
    return x, y, who


@BOTH
def test_of_people_whom_no_labelled_clip_shows_as_few_are_rejected_as_stated(kind):
    shares = {"people": [], "clips": []}
    for seed in range(6):
        x, y, who = performed(people=8, seed=seed)
        seen = who < 4
        for share, groups in (("people", who[seen]), ("clips", None)):
            head = make_head(kind, 0.1).fit(x[seen], y[seen], groups)
            shares[share].append(1 - head.known(x[~seen]).mean())
    assert np.mean(shares["people"]) == pytest.approx(0.1, abs=0.07)
    assert np.mean(shares["clips"]) > 0.3


@BOTH
def test_nobody_judges_his_own_clips_where_it_is_known_who_is_in_them(kind):
    x, y, who = performed(people=3)
    head = make_head(kind).fit(x, y, who)
    assert (head.cv_clips_, head.cv_groups_) == (len(x), 3)
    assert head.cv_accuracy_ < make_head(kind).fit(x, y).cv_accuracy_
    names = np.array(["Ann", "Bo", "Cy"])[who]
    assert make_head(kind).fit(x, y, names).threshold_ == head.threshold_


@BOTH
def test_parts_of_a_clip_do_not_judge_each_other(kind):
    x, y = blobs(noise=1.5)
    parts = np.concatenate([x, x + 0.01 * np.random.default_rng(0).normal(size=x.shape)])
    clip = np.tile(np.arange(len(x)), 2)
    among = make_head(kind).fit(parts, np.tile(y, 2))
    apart = make_head(kind).fit(parts, np.tile(y, 2), clip)
    assert apart.cv_accuracy_ < among.cv_accuracy_ - 0.1
    assert apart.cv_accuracy_ == pytest.approx(make_head(kind).fit(x, y).cv_accuracy_, abs=0.15)


@BOTH
def test_a_class_of_one_person_trains_whoever_is_held_out(kind):
    x, y, who = performed(people=3)
    kept = (y != "class3") | (who == 1)
    head = make_head(kind).fit(x[kept], y[kept], who[kept])
    assert head.cv_clips_ == (y[kept] != "class3").sum()
    alone = make_head(kind).fit(x[who == 1], y[who == 1], who[who == 1])
    assert (alone.cv_clips_, alone.cv_groups_) == ((who == 1).sum(), 0)


@BOTH
def test_the_order_of_clips_changes_nothing_but_the_folds(kind):
    x, y = blobs(clips=1)
    order = np.random.default_rng(0).permutation(len(x))
    one, other = make_head(kind).fit(x, y), make_head(kind).fit(x[order], y[order])
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), atol=1e-4)


@BOTH
def test_one_class_and_wrong_rates_are_refused(kind):
    x, y = blobs(classes=1)
    with pytest.raises(ValueError, match="1 class: class0"):
        make_head(kind).fit(x, y)
    with pytest.raises(ValueError, match="false_rejection"):
        make_head(kind, 1.5).fit(*blobs())
    with pytest.raises(CrosscaleError, match="did you mean 'linear'"):
        make_head("liner")


@BOTH
def test_a_saved_head_answers_as_before(kind, tmp_path):
    x, y = blobs(noise=0.8)
    before = FittedHead(make_head(kind).fit(x, y), "fingerprint")
    save_head(before, tmp_path / "head")
    after = load_head(tmp_path / "head", "fingerprint")
    new = blobs(clips=50, classes=6, noise=1.5, seed=1)[0]
    names = [f"clip {i}" for i in range(len(new))]
    assert answer(before.head, new, names).equals(answer(after.head, new, names))
    with pytest.raises(CrosscaleError, match="another encoder"):
        load_head(tmp_path / "head", "other")


@pytest.mark.parametrize("moments", [True, False, None])
def test_a_head_of_0_1_is_read(moments, tmp_path):
    path = tmp_path / "head"
    save_head(FittedHead(make_head("linear").fit(*blobs()), "f"), path)
    tensors, facts = read_safetensors(path, "crosscale head 2")
    del facts["subclips"]
    told = {} if moments is None else {"moments": moments}
    write_safetensors(path, tensors, {**facts, **told, "format": "crosscale head 1"})
    assert load_head(path).subclips == bool(moments)


def test_fine_tuned_layers_of_0_1_which_bear_the_same_name_are_no_head(tmp_path):
    path = tmp_path / "head.safetensors"
    facts = {"format": "crosscale head 1", "encoders": "f", "classes": ["a", "b"]}
    write_safetensors(path, {"joint/weight": torch.zeros(2, 3)}, facts)
    with pytest.raises(BadCheckpoint, match="fine-tuned with an encoder, and is no head"):
        load_head(path)


def test_a_head_without_calibration_can_be_saved_too(tmp_path):
    save_head(FittedHead(make_head("linear").fit(*blobs(clips=1)), "f"), tmp_path / "head")
    assert load_head(tmp_path / "head").head.threshold_ == -np.inf


@BOTH
def test_damaged_and_foreign_heads_are_refused(kind, tmp_path):
    path = tmp_path / "head"
    with pytest.raises(CrosscaleError, match=r"no head at .*: make one with"):
        load_head(path)
    with pytest.raises(CrosscaleError, match="no head at liner: did you mean 'linear'"):
        load_head(Path("liner"))
    save_head(FittedHead(make_head(kind).fit(*blobs()), "f"), path)
    tensors, facts = read_safetensors(path, "crosscale head 2")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        load_head(path)
    write_safetensors(path, tensors, {**facts, "format": "other"})
    with pytest.raises(BadCheckpoint, match="'other'"):
        load_head(path)
    write_safetensors(path, tensors, {**facts, "classes": facts["classes"][1:]})
    with pytest.raises(BadCheckpoint, match="do not fit each other"):
        load_head(path)
    write_safetensors(path, tensors, {**facts, "kind": "forest"})
    with pytest.raises(BadCheckpoint, match="forest"):
        load_head(path)
    short = {name: value for name, value in tensors.items() if name != "clips_"}
    write_safetensors(path, short, facts)
    with pytest.raises(BadCheckpoint, match="clips_"):
        load_head(path)
    spoilt = {**tensors, "clips_": tensors["clips_"] * float("nan")}
    write_safetensors(path, spoilt, facts)
    with pytest.raises(BadCheckpoint, match="do not fit each other"):
        load_head(path)
