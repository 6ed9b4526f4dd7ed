import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes import knn
from crosscale.evaluation.probes.knn import KnnProbe, knn_scores


def data(train=40, test=15, classes=4, width=6, seed=0):
    rng = np.random.default_rng(seed)
    train_x, test_x = (rng.normal(size=(n, width)).astype(np.float32) for n in (train, test))
    return train_x, rng.integers(0, classes, train), test_x


def naive_scores(train_x, train_y, test_x, classes, k):
    """One test clip and one training clip at a time."""
    rows = []
    for query in test_x.astype(float):
        weights = []
        for clip in train_x.astype(float):
            cosine = query @ clip / np.linalg.norm(query) / np.linalg.norm(clip)
            weights.append((1 + cosine) / 2)
        voters = np.argsort(weights)[-k:]
        row = np.zeros(classes)
        for i in voters:
            row[train_y[i]] += weights[i]
        for label in range(classes):
            own = [w for w, y in zip(weights, train_y, strict=True) if y == label]
            if own and not row[label]:
                row[label] = max(own)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("neighbours", [1, 3, 40])
def test_scores_equal_a_naive_search(neighbours):
    train_x, train_y, test_x = data()
    scores = knn_scores(train_x, train_y, test_x, 4, neighbours)
    expected = naive_scores(train_x, train_y, test_x, 4, neighbours)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), neighbours=st.integers(1, 12), classes=st.integers(2, 9))
def test_the_answer_is_always_the_class_with_most_votes(seed, neighbours, classes):
    train_x, train_y, test_x = data(classes=classes, seed=seed)
    scores = knn_scores(train_x, train_y, test_x, classes, neighbours)
    cosine = test_x @ train_x.T
    cosine /= np.linalg.norm(test_x, axis=1)[:, None] * np.linalg.norm(train_x, axis=1)
    for row, similarities in zip(scores, cosine, strict=True):
        voters = np.argsort(-similarities)[:neighbours]
        votes = np.bincount(train_y[voters], (1 + similarities[voters]) / 2, minlength=classes)
        assert votes[row.argmax()] == pytest.approx(votes.max(), rel=1e-4)


def test_one_neighbour_of_a_training_clip_is_itself():
    train_x, train_y, _ = data()
    scores = knn_scores(train_x, train_y, train_x, 4)
    assert (scores.argmax(axis=1) == train_y).all()
    np.testing.assert_allclose(scores.max(axis=1), 1, atol=1e-6)


def test_length_of_vectors_does_not_matter():
    train_x, train_y, test_x = data()
    lengths = np.linspace(0.1, 50, len(train_x), dtype=np.float32)[:, None]
    scores = knn_scores(train_x * lengths, train_y, test_x * 7, 4)
    np.testing.assert_allclose(scores, knn_scores(train_x, train_y, test_x, 4), atol=1e-5)


def test_chunks_do_not_change_scores(monkeypatch):
    whole = knn_scores(*data(), 4, 3)
    monkeypatch.setattr(knn, "SIMILARITIES_AT_ONCE", 80)  # two test clips at once
    np.testing.assert_allclose(knn_scores(*data(), 4, 3), whole, atol=1e-6)


def test_a_class_without_training_clips_scores_nothing():
    train_x, train_y, test_x = data(classes=3)
    scores = knn_scores(train_x, train_y, test_x, 5)
    assert (scores[:, 3:] == 0).all()
    assert (scores[:, :3] > 0).all()


def test_a_vector_of_zeros_is_no_trouble():
    train_x, train_y, test_x = data()
    test_x[0] = 0
    assert np.isfinite(knn_scores(train_x, train_y, test_x, 4)).all()


def test_more_neighbours_than_training_clips_are_refused():
    with pytest.raises(CrosscaleError, match="41 neighbours asked of 40 training clips"):
        KnnProbe(41).fit(*data()[:2])
    with pytest.raises(CrosscaleError, match="at least 1"):
        KnnProbe(0).fit(*data()[:2])


def test_the_probe_scores_its_classes_as_the_function_does():
    train_x, train_y, test_x = data()
    probe = KnnProbe(3).fit(train_x, train_y)
    np.testing.assert_array_equal(
        probe.decision_function(test_x), knn_scores(train_x, train_y, test_x, 4, 3)
    )
