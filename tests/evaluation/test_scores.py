import csv

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.evaluation.metrics import measure
from crosscale.evaluation.scores import Scores, add_scores

CLASSES = ["sit", "stand", "walk"]


def scores(names=("a", "b", "c", "d"), classes=CLASSES, labels=(0, 1, 2, 0), seed=0):
    values = np.random.default_rng(seed).normal(size=(len(names), len(classes)))
    return Scores(names, classes, values.astype(np.float32), np.array(labels, dtype=np.int64))


def test_a_sum_is_joined_by_clip_name():
    one, two = scores(seed=1), scores(seed=2)
    shuffled = two.select(["c", "a", "d", "b"])
    total = add_scores({"joint": one, "bone": shuffled})
    assert total.names == one.names
    np.testing.assert_allclose(total.values, one.values + two.values)
    assert total.labels.tolist() == [0, 1, 2, 0]


def test_a_sum_is_joined_by_class_name():
    one, two = scores(seed=1), scores(seed=2)
    order = [2, 0, 1]
    renumbered = np.array([order.index(label) for label in two.labels])
    turned = Scores(two.names, [CLASSES[i] for i in order], two.values[:, order], renumbered)
    total = add_scores({"joint": one, "bone": turned})
    np.testing.assert_allclose(total.values, one.values + two.values)


def test_weights_multiply_the_scores_of_their_stream():
    one, two = scores(seed=1), scores(seed=2)
    total = add_scores({"joint": one, "bone": two}, weights={"bone": 0.5})
    np.testing.assert_allclose(total.values, one.values + 0.5 * two.values, rtol=1e-6)
    with pytest.raises(CrosscaleError, match="weights for bnoe"):
        add_scores({"joint": one, "bone": two}, weights={"bnoe": 0.5})


def test_labels_may_be_known_to_one_side_only():
    one = scores(seed=1)
    unlabelled = Scores(one.names, one.classes, one.values)
    assert add_scores({"a": unlabelled, "b": one}).labels.tolist() == [0, 1, 2, 0]
    assert add_scores({"a": unlabelled}).labels is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"names": "abc", "labels": (0, 1, 2)}, "bone lacks d"),
        ({"names": "abcde", "labels": (0, 1, 2, 0, 0)}, "bone has e, which the others lack"),
        ({"classes": ["sit", "stand", "run"]}, "different classes .*run, walk"),
        ({"classes": ["sit", "stand", "walk", "run"]}, r"different classes \(3 and 4\).*run"),
        ({"labels": (0, 1, 1, 0)}, "joint and bone label c differently"),
    ],
)
def test_parts_that_do_not_match_are_refused_by_name(other, message):
    with pytest.raises(CrosscaleError, match=message):
        add_scores({"joint": scores(), "bone": scores(**other)})


def test_duplicate_clips_are_refused_by_name():
    with pytest.raises(CrosscaleError, match="more than once: b"):
        scores(names=("a", "b", "b", "d"))


def test_scores_that_are_no_numbers_or_do_not_fit_are_refused():
    with pytest.raises(CrosscaleError, match="not finite for b"):
        Scores(["a", "b"], CLASSES, np.float32([[1, 2, 3], [1, np.nan, 3]]))
    with pytest.raises(CrosscaleError, match="2 clips x 3 classes"):
        Scores(["a", "b"], CLASSES, np.ones((2, 4), np.float32))


def test_selecting_unknown_clips_is_refused_by_name():
    with pytest.raises(CrosscaleError, match="no scores for x"):
        scores().select(["a", "x"])


def test_no_scores_have_no_sum():
    with pytest.raises(CrosscaleError, match="no scores to add"):
        add_scores({})


def read(path):
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    classes = header[1 : len(rows[0])]
    return [row[0] for row in rows], classes, np.float32([row[1:] for row in rows])


def test_reported_case_of_shuffled_score_files(shared):
    folder = shared("cases/38-ensemble")
    with (folder / "labels.csv").open(newline="") as file:
        label = {row["sample"]: int(row["label"]) for row in csv.DictReader(file)}
    names, classes, values = read(folder / "joint.csv")
    joint = Scores(names, classes, values, np.array([label[name] for name in names]))
    assert measure(joint).top1 == pytest.approx(0.9)
    shuffled = Scores(*read(folder / "bone_shuffled.csv"))
    assert measure(add_scores({"joint": joint, "bone": shuffled})).top1 == 1.0

    missing = Scores(*read(folder / "bone_one_missing.csv"))
    with pytest.raises(CrosscaleError, match="bone lacks S001C001P003R001A"):
        add_scores({"joint": joint, "bone": missing})
    four = Scores(*read(folder / "bone_four_classes.csv"))
    with pytest.raises(CrosscaleError, match=r"different classes \(5 and 4\).*c4"):
        add_scores({"joint": joint, "bone": four})
    with pytest.raises(CrosscaleError, match="more than once: S001C001P003R001A"):
        Scores(*read(folder / "bone_duplicate.csv"))
