"""Labels are checked whole, before any clip is read, and never shifted."""

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.readers.tables.numbered import class_names


def test_names_are_kept():
    assert class_names(np.array(["wave", "walk"]), "x") == ["wave", "walk"]


def test_numbers_from_zero_are_their_own_names():
    assert class_names(np.array([1, 0, 1], np.uint8), "x") == ["1", "0", "1"]


def test_numbers_take_the_names_that_are_given():
    assert class_names([2, 0], "x", ["wave", "walk", "sit"]) == ["sit", "wave"]


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        ([1, 2, 3, 4], None, "the labels are 1, 2, 3, 4; 4 classes must have the numbers 0 to 3"),
        ([0, 1, 7], None, "the labels are 0, 1, 7; 3 classes must have the numbers 0 to 2"),
        ([-1, 0, 1], None, "the labels are -1, 0, 1; 3 classes"),
        ([0, 2, 3], ["a", "b"], "labels 2, 3 are beyond the 2 classes"),
        ([0.5, 1.5], None, r"labels are float64 \(0.5, 1.5\); .* whole numbers from 0, or names"),
        ([True, False], None, "labels are bool"),
        ([[0], [1]], None, r"labels have shape \(2, 1\)"),
        (range(0, 40, 2), None, r"the labels are 0, 2, 4, 6, 8, 10, 12, 14 \.\.\. 38; 20 classes"),
    ],
)
def test_others_are_told(labels, classes, told):
    with pytest.raises(CrosscaleError, match=told):
        class_names(np.array(labels), "x", classes)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("train_float_labels", "labels are float64"),
        ("train_label_minus1", "the labels are -1"),
        ("train_label_gap_0_1_7", "the labels are 0, 1, 7"),
        ("train_labels_1_to_4", "the labels are 1, 2, 3, 4; 4 classes"),
    ],
)
def test_the_reported_labels(shared, file, told):
    with (
        np.load(shared(f"cases/36-label-base/{file}.npz")) as arrays,
        pytest.raises(CrosscaleError, match=told),
    ):
        class_names(arrays["labels"], file)


def test_the_reported_labels_that_are_right(shared):
    with np.load(shared("cases/36-label-base/test_labels_0_to_3.npz")) as arrays:
        assert set(class_names(arrays["labels"], "x")) == {"0", "1", "2", "3"}
