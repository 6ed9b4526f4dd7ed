from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from crosscale.data.splits import Split
from crosscale.evaluation import retrieval
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.report import Report, report_html
from crosscale.evaluation.retrieval import average_precision, side_by_side
from crosscale.evaluation.table import accuracy_table


def data(train=40, test=15, classes=4, width=6, seed=0):
    rng = np.random.default_rng(seed)
    train_x, test_x = (rng.normal(size=(n, width)).astype(np.float32) for n in (train, test))
    return train_x, rng.integers(0, classes, train), test_x, rng.integers(0, classes, test)


def features(clips=60, classes=3):
    rng = np.random.default_rng(0)
    labels = np.arange(clips) % classes
    vectors = {
        stream: rng.normal(size=(classes, 8))[labels] + rng.normal(size=(clips, 8))
        for stream in ("joint", "motion")
    }
    names = [f"clip{i}" for i in range(clips)]
    arrays = {stream: array.astype(np.float32) for stream, array in vectors.items()}
    return Features(names, labels, [f"class{i}" for i in range(classes)], arrays)


HALVES = Split("made up", np.arange(30), {"official": np.arange(30, 60), "leak_free": [30, 31]})
HALVES.tests["leak_free"] = np.array(HALVES.tests["leak_free"])


def test_average_precision_equals_scikit_learns():
    train_x, train_y, test_x, test_y = data()
    cosine = test_x @ train_x.T / np.linalg.norm(train_x, axis=1)
    expected = [
        average_precision_score(train_y == label, row)
        for label, row in zip(test_y, cosine, strict=True)
    ]
    found = average_precision(train_x, train_y, test_x, test_y)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_classes_far_apart_are_found_perfectly_and_the_worst_order_is_known():
    train_x = np.array([[1, 0], [1, 0.1], [0, 1]], dtype=np.float32)
    test_x = np.array([[1, 0.05], [1, 0.05]], dtype=np.float32)
    found = average_precision(train_x, np.array([0, 0, 1]), test_x, np.array([0, 1]))
    np.testing.assert_allclose(found, [1, 1 / 3])


def test_a_class_without_training_clips_finds_nothing():
    train_x, train_y, test_x, _ = data(classes=3)
    assert (average_precision(train_x, train_y, test_x, np.full(15, 7)) == 0).all()


def test_chunks_do_not_change_anything(monkeypatch):
    whole = average_precision(*data())
    monkeypatch.setattr(retrieval, "SIMILARITIES_AT_ONCE", 80)  # two test clips at once
    np.testing.assert_array_equal(average_precision(*data()), whole)


def test_side_by_side_the_cosine_is_the_mean_of_the_streams():
    vectors = features().vectors
    both = side_by_side(vectors)
    units = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors.values()]
    expected = sum(unit @ unit.T for unit in units)
    np.testing.assert_allclose(both @ both.T, expected, atol=1e-5)


def test_every_stream_and_their_sum_have_a_precision_on_every_test_set():
    found = evaluate_features("retrieval", features(), HALVES)
    assert {test: list(streams) for test, streams in found.precision.items()} == {
        "official": ["joint", "motion", "sum"],
        "leak_free": ["joint", "motion", "sum"],
    }
    alone = evaluate_features("knn", features(), HALVES)
    for stream in ("joint", "motion"):  # the first clip found is the nearest neighbour
        assert found.metrics["official"][stream] == alone.metrics["official"][stream]
    single = [found.precision["official"][stream] for stream in ("joint", "motion")]
    assert max(single) < found.precision["official"]["sum"] < 1


def test_the_sums_first_clip_is_that_of_the_summed_similarities():
    given = features()
    found = evaluate_features("retrieval", given, HALVES)
    both = side_by_side(given.vectors)
    nearest = (both[30:] @ both[:30].T).argmax(axis=1)
    share = (given.labels[nearest] == given.labels[30:]).mean()
    assert found.metrics["official"]["sum"].top1 == pytest.approx(share)


def test_one_stream_alone_has_no_sum():
    alone = replace(features(), vectors={"joint": features().vectors["joint"]})
    assert list(evaluate_features("retrieval", alone, HALVES).precision["official"]) == ["joint"]


def test_the_report_and_the_table_show_the_precision_beside_kinds_that_have_none():
    found = [
        evaluate_features("retrieval", features(), HALVES),
        evaluate_features("knn", features(), HALVES),
    ]
    report = Report("A run", found, {}, {"chance": {"official": 1 / 3, "leak_free": 1 / 3}})
    page = report_html(report)
    assert page.count('scope="col">mAP</th>') == 2
    assert f"{100 * found[0].precision['official']['sum']:.1f}</td>" in page
    assert "ranked by cosine similarity" in page
    assert "mAP" not in report_html(replace(report, evaluations=found[1:]))
    columns = [
        column.header for column in accuracy_table(replace(report, evaluations=found[:1])).columns
    ]
    assert columns.count("mAP") == 2
