import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.evaluation.metrics import measure


def scores(values, labels):
    return np.array(labels, dtype=np.int64), np.array(values, dtype=np.float32)


def random_scores(clips=200, classes=12, seed=0):
    rng = np.random.default_rng(seed)
    return scores(rng.normal(size=(clips, classes)), rng.integers(0, classes, clips))


def test_accuracies_equal_counting_by_hand():
    labels, values = random_scores()
    found = measure(labels, values)
    ranks = [
        sum(value > row[label] for value in row) for row, label in zip(values, labels, strict=True)
    ]
    assert found.clips == 200
    assert found.top1 == pytest.approx(np.mean([rank == 0 for rank in ranks]))
    assert (found.k, found.top_k) == (5, pytest.approx(np.mean([rank < 5 for rank in ranks])))
    for label in range(12):
        own = [rank == 0 for rank, true in zip(ranks, labels, strict=True) if true == label]
        assert found.per_class[label] == pytest.approx(np.mean(own))
    assert found.mean_class == pytest.approx(np.mean(found.per_class))


def test_confusion_counts_answers_by_true_class():
    found = measure(*scores([[9, 0, 0], [0, 9, 0], [0, 9, 0], [0, 0, 9]], [0, 0, 1, 2]))
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 1))
    assert found.per_class == (0.5, 1.0, 1.0)


def test_with_three_classes_five_best_become_three_best():
    found = measure(*random_scores(classes=3))
    assert (found.k, found.top_k) == (3, 1.0)


def test_a_class_without_clips_has_no_accuracy_and_no_part_in_the_mean():
    found = measure(*scores([[1, 0, 0], [1, 0, 0]], [0, 1]))
    assert found.per_class == (1.0, 0.0, None)
    assert found.mean_class == 0.5


def test_the_order_of_clips_does_not_matter():
    labels, values = random_scores()
    order = np.random.default_rng(1).permutation(len(labels))
    assert measure(labels[order], values[order]) == measure(labels, values)


def test_equal_scores_are_no_free_hits():
    found = measure(*scores(np.zeros((4, 4)), [0, 1, 2, 3]))
    assert found.top1 == 0.25


def test_without_labels_there_is_no_accuracy():
    for given in (scores([[0, 1]], [-1]), scores(np.zeros((0, 2)), [])):
        with pytest.raises(CrosscaleError, match="label"):
            measure(*given)


def test_of_several_draws_the_mean_is_given_and_confusions_add_up():
    labels, one = random_scores()
    other = random_scores(seed=5)[1]
    found, first, second = measure(labels, one, other), measure(labels, one), measure(labels, other)
    assert found.clips == 200
    for name in ("top1", "top_k", "mean_class"):
        mean = (getattr(first, name) + getattr(second, name)) / 2
        assert getattr(found, name) == pytest.approx(mean)
    assert found.per_class == pytest.approx(np.mean([first.per_class, second.per_class], axis=0))
    assert found.confusion == tuple(
        map(tuple, (np.array(first.confusion) + second.confusion).tolist())
    )
