"""What any encoder must beat: guessing, raw coordinates, and the encoder before training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.extract import Extraction, extract
from crosscale.evaluation.features import UNLABELLED, Features, merge_features
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.semi import FewLabels
from crosscale.models.checkpoint import TrainedEncoders, untrained
from crosscale.transforms.preprocess import Preprocess, load

RAW = "raw coordinates"


def chance(labels: NDArray[np.int64]) -> float:
    """Expected accuracy of guessing every class that occurs alike."""
    return 1 / len(np.unique(labels[labels != UNLABELLED]))


def raw_features(store: ClipStore, preprocess: Preprocess) -> Features:
    """Preprocessed coordinates, absent bodies zero, as features that every probe judges."""
    clips = load(store, range(len(store)), preprocess).coordinates  # (N, C, T, V, M)
    vectors = {RAW: clips.flatten(start_dim=1).numpy()}
    return Features(store.names, store.labels, store.classes, vectors)


def baselines(
    probes: Sequence[Any],
    trained: Mapping[str, TrainedEncoders],
    store: ClipStore,
    split: Split,
    *,
    seed: int = 0,
    how: Extraction,
) -> dict[str, dict[str, float]]:
    """Top-1 on each test of what trained encoders must beat.

    Args:
        probes: that judged the frozen encoders.
        trained: the encoders by run; the untrained ones have their shapes and streams, and the
            raw coordinates the preprocessing of the first.
        store: the whole data set.
        split: training and test clips.
        seed: of the untrained weights and of the probes.
        how: what is read of the untrained encoders.
    """
    first = next(iter(trained.values()))
    blank = {run: extract(untrained(own, seed), store, how) for run, own in trained.items()}
    features = {"untrained": merge_features(blank), RAW: raw_features(store, first.preprocess)}
    judged = [(name, probe) for probe in probes for name in features]
    if not any(isinstance(probe, KnnProbe | FewLabels) for probe in probes):
        judged.append((RAW, KnnProbe()))
    device = str(first.device)
    return {
        f"{name}, {found.title.lower()}": found.headline_top1
        for name, probe in judged
        for found in [evaluate_features(probe, features[name], split, seed=seed, device=device)]
    }
