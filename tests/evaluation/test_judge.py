"""The one way of judging, against an implementation of its own and by what it must say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from crosscale.data.splits import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.few import Few, Fold, drawn, drawn_of
from crosscale.evaluation.judge import COLUMNS, half_whitened, judge
from crosscale.evaluation.probes import make_probe, title_of

PROTOTYPE = Path(__file__).parents[3] / "shared" / "prototype" / "judge.py"


def clusters(clips=240, classes=6, dim=40, noise=2.5):
    """Features (N, D) of classes that overlap, unequal in size, and as many scales as features."""
    rng = np.random.default_rng(0)
    labels = np.sort(rng.choice(classes, clips, p=np.arange(1, classes + 1) / 21))
    centres = rng.normal(size=(classes, dim))
    x = (centres[labels] + noise * rng.normal(size=(clips, dim))) * rng.uniform(0.1, 5, dim) + 1
    order = rng.permutation(clips)
    return x[order].astype(np.float32), labels[order]


def thirds(clips=240):
    rows = np.arange(clips)
    return [Fold(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]


@pytest.mark.skipif(not PROTOTYPE.is_file(), reason="needs what figures were first judged by")
@pytest.mark.parametrize("half_white", [False, True])
@pytest.mark.parametrize("folds", [1, 3])
def test_figures_are_those_of_the_prototype(half_white, folds):
    spec = importlib.util.spec_from_file_location("prototype_of_judging", PROTOTYPE)
    prototype = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prototype)
    x, labels = clusters()
    parts = thirds()[:folds]
    found = judge(x, labels, parts, half_white=half_white)
    expected = prototype.judge(x, labels, parts, white=half_white)
    ours = [100 * found[column].top1 for column in COLUMNS]
    np.testing.assert_allclose(ours, expected, atol=0.1)
    assert 30 < min(ours) < max(ours) < 95


def test_more_labels_help_and_each_answer_is_of_a_test_clip():
    x, labels = clusters(noise=2)
    (part, *_) = thirds()
    found = judge(x, labels, [part], draws=5)
    one, five, ten = (found[column].top1 for column in COLUMNS[2:])
    assert one < five < ten < found["all labels"].top1
    for answers in found.values():
        assert np.isin(answers.clips, part.test).all()
        assert answers.weight.sum() == pytest.approx(1)


def test_half_whitening_learns_from_training_clips_alone_and_no_label():
    x, _ = clusters()
    train = np.arange(100)
    white = half_whitened(x, train)
    assert white.shape == (240, 40)
    changed = x.copy()
    changed[200:] *= 7
    np.testing.assert_array_equal(half_whitened(changed, train)[:200], white[:200])
    spread = white[train].std(axis=0)
    assert (np.diff(spread) <= 1e-4).all(), "axes come by their spread"
    raw = np.linalg.svd((x - x[train].mean(0))[train] / x[train].std(0), compute_uv=False) / 10
    np.testing.assert_allclose(spread, np.sqrt(raw), rtol=0.01)


def test_a_draw_takes_as_many_of_each_class_and_goes_from_fold_to_fold():
    _, labels = clusters()
    folds = thirds()
    for number, rows in enumerate(drawn(labels, folds, draws=4, seed=1)):
        for count, kept in rows.items():
            assert np.isin(kept, folds[number % 3].train).all()
            there = np.bincount(labels[folds[number % 3].train])
            assert np.bincount(labels[kept]).tolist() == np.minimum(count, there).tolist()


def test_the_draws_of_one_count_do_not_hang_on_the_others():
    _, labels = clusters()
    folds = thirds()[:1]
    for count in (1, 5):
        expected = [rows[count] for rows in drawn(labels, folds, 3, seed=2)]
        found = drawn_of(labels, folds, Few(count, 3), seed=2)
        assert all((a == b).all() for a, b in zip(found, expected, strict=True))
    assert [len(rows) for rows in drawn_of(labels, folds, Few(2, 3))] == [12, 12, 12]


def test_evaluate_few_gives_the_judges_figures_and_says_which_classifier_spoke():
    x, labels = clusters()
    (part, *_) = thirds()
    names = [f"clip{i}" for i in range(len(x))]
    features = Features(names, labels, list("abcdef"), {"joint": x})
    split = Split("thirds", part.train, {"test": part.test})
    expected = judge(x, labels, [part])
    for probe in (Few(1), Few(5), Few(10)):
        found = evaluate_features(probe, features, split)
        figure = expected[f"{probe.labels} label{'s' * (probe.labels > 1)} a class"].top1
        assert found.headline_top1["test"] == pytest.approx(figure, abs=1e-6)
        assert len(found.draws["test"]["joint"]) == 10
        assert found.kind == "few"
        assert "Best of three classifiers: joint by" in found.notes[-1]
        assert found.train.per_class["a"] == min(probe.labels, (labels[part.train] == 0).sum())


def test_several_streams_are_judged_side_by_side_too():
    x, labels = clusters()
    (part, *_) = thirds()
    names = [f"clip{i}" for i in range(len(x))]
    features = Features(names, labels, list("abcdef"), {"a": x[:, :20], "b": x[:, 20:]})
    found = evaluate_features(Few(10, 3), features, Split("t", part.train, {"test": part.test}))
    figures = {stream: metrics.top1 for stream, metrics in found.metrics["test"].items()}
    assert figures["sum"] > max(figures["a"], figures["b"])


def test_few_is_a_probe_with_settings_of_its_own():
    assert title_of(make_probe("few", {"labels": 1})) == "1 label a class"
    for wrong in ({"labels": 0}, {"draws": 0}):
        with pytest.raises(CrosscaleError, match="at least"):
            make_probe("few", wrong)
