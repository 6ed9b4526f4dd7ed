"""Guessed classes of unlabelled clips, and what a head gains by them."""

import numpy as np
import pytest

from crosscale.inference.head import LinearHead, NeighbourHead
from crosscale.inference.spreading import MOST, Surroundings


def arcs(clips, classes=3, noise=0.02, seed=0):
    """Long thin arcs on a sphere, one a class: far along, near across."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(classes), clips)
    along = np.tile(np.linspace(0, 2, clips), classes)
    height = 0.5 * (codes - (classes - 1) / 2)
    x = np.stack([np.cos(along), np.sin(along), height], 1)
    x = np.concatenate([x, np.zeros((len(x), 9))], 1) + noise * rng.normal(size=(len(x), 12))
    return x / np.linalg.norm(x, axis=1, keepdims=True), codes


def one_each(clips, classes=3):
    """A labelled clip of each class, at another end each time."""
    return np.arange(classes) * clips + np.array([0, clips - 1, clips // 2])[:classes]


def test_labels_spread_along_what_lies_between():
    x, codes = arcs(60)
    rows = one_each(60)
    rest = np.delete(np.arange(len(x)), rows)
    found = Surroundings(x[rows], x[rest]).guessed(np.arange(3), codes[rows])
    np.testing.assert_array_equal(found.x, x[rest])
    assert (found.codes == codes[rest]).mean() > 0.95
    assert found.weights.sum() == pytest.approx(3)
    assert (found.weights >= 0).all()


def test_labelled_clips_that_are_held_out_are_guessed_like_others():
    x, codes = arcs(40)
    rows = np.concatenate([one_each(40), one_each(40) + np.array([1, -1, 1])])
    around = Surroundings(x[rows], np.delete(x, rows, axis=0))
    found = around.guessed(np.arange(3), codes[rows[:3]])
    np.testing.assert_array_equal(found.x[:3], x[rows[3:]])
    np.testing.assert_array_equal(found.codes[:3], codes[rows[3:]])


def test_clips_that_no_label_reaches_count_for_nothing():
    x, codes = arcs(30)
    lonely = -np.eye(12)[:1] + 0.001 * np.random.default_rng(0).normal(size=(12, 12))
    rows = one_each(30)
    around = Surroundings(x[rows], np.concatenate([np.delete(x, rows, axis=0), lonely]))
    found = around.guessed(np.arange(3), codes[rows])
    assert found.weights[-12:].sum() < 1e-6
    assert found.weights.sum() == pytest.approx(3)


def test_of_many_clips_the_same_sample_is_taken_each_time():
    x, codes = arcs(MOST)
    rows = one_each(MOST)
    rest = np.delete(x, rows, axis=0)
    one, other = (Surroundings(x[rows], rest).guessed(np.arange(3), codes[rows]) for _ in range(2))
    assert len(one.x) == MOST
    for found, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, again)


def test_a_head_of_one_clip_a_class_names_more_with_unlabelled_clips():
    x, codes = arcs(60)
    rows = one_each(60)
    rest = np.delete(np.arange(len(x)), rows)
    with_them = LinearHead().fit(x[rows], codes[rows], unlabelled=x[rest])
    alone = LinearHead().fit(x[rows], codes[rows])
    right = (with_them.predict(x[rest]) == codes[rest]).mean()
    assert right > 0.95 > (alone.predict(x[rest]) == codes[rest]).mean() + 0.1


@pytest.mark.parametrize(("kind", "each"), [(LinearHead, 6), (NeighbourHead, 1)])
def test_where_they_would_not_help_they_change_nothing(kind, each):
    x, codes = arcs(60)
    rows = np.concatenate([np.flatnonzero(codes == k)[:: 60 // each] for k in range(3)])
    rest = np.delete(np.arange(len(x)), rows)
    alone = kind().fit(x[rows], codes[rows])
    for others in (x[rest], x[:0]):
        found = kind().fit(x[rows], codes[rows], unlabelled=others)
        assert found.guessed_ == 0
        np.testing.assert_array_equal(found.predict_proba(x), alone.predict_proba(x))


def test_held_out_clips_are_named_with_the_help_of_all_others():
    x, codes = arcs(60)
    rows = np.concatenate([one_each(60), 30 + 60 * np.arange(3)])
    rest = np.delete(np.arange(len(x)), rows)
    with_them = LinearHead().fit(x[rows], codes[rows], unlabelled=x[rest])
    alone = LinearHead().fit(x[rows], codes[rows])
    assert with_them.cv_accuracy_ > alone.cv_accuracy_
