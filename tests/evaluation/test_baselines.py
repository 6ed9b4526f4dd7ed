import numpy as np

from crosscale.data.splits import Split
from crosscale.evaluation.baselines import RAW, chance, raw_features
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.transforms.preprocess import Preprocess


def test_chance_is_one_in_as_many_classes_as_occur():
    assert chance(np.array([3, 0, 3, 7, 9, -1])) == 0.25


def test_raw_coordinates_are_features_like_any_other(nwucla):
    raw = raw_features(nwucla, Preprocess(frames=12, bodies=2))
    assert raw.vectors[RAW].shape == (36, 3 * 12 * 20 * 2)
    rows = np.arange(36)
    found = evaluate_features("knn", raw, Split("halves", rows[::2], {"test": rows[1::2]}))
    assert found.metrics["test"][RAW].top1 > chance(nwucla.labels)
