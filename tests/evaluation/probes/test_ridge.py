import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes import class_scores
from crosscale.evaluation.probes.ridge import RidgeProbe


def drawn(clips=40, asked=15, classes=4, width=6, seed=0):
    """Features without a pattern, with labels of which every class has some."""
    rng = np.random.default_rng(seed)
    train, test = (rng.normal(size=(n, width)).astype(np.float32) for n in (clips, asked))
    return train, rng.permutation(np.arange(clips) % classes), test


def ridge_scores(x, y, test, classes, **settings):
    return class_scores(RidgeProbe(**settings).fit(x, y), test, classes)


def normal_equations(x, y, test, classes, penalty):
    """The layer from the derivative of its loss, its bias without a penalty."""
    centre, spread = x.mean(axis=0), x.std(axis=0)
    x, test = ((part - centre) / spread / np.sqrt(x.shape[1]) for part in (x, test))
    ones = np.c_[x, np.ones(len(x))]
    bare = penalty * np.eye(ones.shape[1])
    bare[-1, -1] = 0
    weights = np.linalg.solve(ones.T @ ones + bare, ones.T @ np.eye(classes)[y])
    return np.c_[test, np.ones(len(test))] @ weights


@pytest.mark.parametrize("width", [6, 200])  # fewer and more features than clips
@pytest.mark.parametrize("penalty", [0.01, 0.1, 10.0])
def test_scores_solve_the_normal_equations(width, penalty):
    x, y, test = drawn(width=width)
    found = ridge_scores(x, y, test, 4, penalty=penalty, root=False)
    expected = normal_equations(x.astype(float), y, test.astype(float), 4, penalty)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_roots_keep_the_sign():
    x, y, test = drawn()
    rooted = [np.sign(part) * np.sqrt(np.abs(part)) for part in (x, test)]
    expected = ridge_scores(rooted[0], y, rooted[1], 4, root=False)
    np.testing.assert_allclose(ridge_scores(x, y, test, 4), expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3), classes=st.integers(2, 9))
def test_order_of_clips_and_of_features_and_the_scale_change_nothing(seed, scale, classes):
    x, y, test = drawn(classes=classes, seed=seed)
    rng = np.random.default_rng(seed)
    clips, columns = rng.permutation(len(x)), rng.permutation(x.shape[1])
    changed = [np.float32(scale) * part[:, columns] for part in (x[clips], test)]
    found = ridge_scores(changed[0], y[clips], changed[1], classes)
    np.testing.assert_allclose(found, ridge_scores(x, y, test, classes), atol=1e-4)


def test_parts_are_fitted_each_by_itself_and_their_mean_is_scored():
    x, y, test = drawn()
    alone = [ridge_scores(x[:, part], y, test[:, part], 4) for part in (slice(2), slice(2, 6))]
    found = ridge_scores(x, y, test, 4, parts=(2, 4))
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)
    assert not np.allclose(found, ridge_scores(x, y, test, 4), atol=1e-2)


def test_scores_add_up_to_one_and_a_class_without_clips_is_never_named():
    x, y, test = drawn()
    scores = ridge_scores(x, y, test, 6)
    np.testing.assert_allclose(scores[:, :4].sum(axis=1), 1, atol=1e-5)
    assert (scores[:, 4:].max(axis=1) < scores[:, :4].min(axis=1)).all()


def test_separable_classes_are_learned():
    x, y, test = drawn(clips=200, width=300)
    centres = 2 * np.random.default_rng(5).normal(size=(4, 300)).astype(np.float32)
    scores = ridge_scores(x + centres[y], y, test + centres[np.arange(15) % 4], 4)
    assert (scores.argmax(axis=1) == np.arange(15) % 4).all()


def test_a_feature_that_does_not_vary_counts_for_nothing():
    x, y, test = drawn()
    still = [np.c_[part, np.full(len(part), 3, np.float32)] for part in (x, test)]
    found = ridge_scores(still[0], y, still[1], 4)
    np.testing.assert_allclose(found, ridge_scores(x, y, test, 4), atol=1e-5)


def test_features_that_do_not_vary_at_all_give_every_clip_the_shares_of_the_classes():
    _, y, test = drawn()
    scores = ridge_scores(np.ones((40, 6), np.float32), y, test, 4)
    np.testing.assert_allclose(scores, np.full((15, 4), 0.25), atol=1e-6)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_a_penalty_must_be_above_zero(penalty):
    with pytest.raises(CrosscaleError, match="penalty must be above 0"):
        RidgeProbe(penalty).fit(*drawn()[:2])
