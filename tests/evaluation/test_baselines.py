import numpy as np
import torch

from crosscale.data.splits import Split
from crosscale.evaluation.baselines import RAW, chance, raw_features
from crosscale.evaluation.evaluation import evaluate_features


def test_chance_is_one_in_as_many_classes_as_occur():
    assert chance(np.array([3, 0, 3, 7, 9, -1])) == 0.25


def test_raw_coordinates_are_features_like_any_other():
    clips = torch.randn(8, 3, 5, 4, 2, generator=torch.Generator().manual_seed(0))
    clips[4:] = clips[:4]  # each test clip is a copy of a training clip
    labels = np.array([0, 1, 0, 1] * 2)
    raw = raw_features([f"clip{i}" for i in range(8)], labels, ["a", "b"], clips)
    assert raw.vectors[RAW].shape == (8, 3 * 5 * 4 * 2)
    found = evaluate_features("knn", raw, Split("halves", np.arange(4), {"test": np.arange(4, 8)}))
    assert found.metrics["test"][RAW].top1 == 1
