"""What any encoder must beat: guessing, raw coordinates, and the encoder before training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.extract import Extraction, extract, untrained_on
from crosscale.evaluation.features import UNLABELLED, Features, merge_features
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.semi import FewLabels
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.transforms.preprocess import load

RAW = "raw coordinates"


def chance(labels: NDArray[np.int64]) -> float:
    """Expected accuracy of guessing every class that occurs alike."""
    return 1 / len(np.unique(labels[labels != UNLABELLED]))


def raw_features(
    names: Sequence[str], labels: NDArray[np.int64], classes: Sequence[str], clips: Tensor
) -> Features:
    """Flatten preprocessed clips into features, so that every probe judges them.

    Args:
        names: (N,) clip names.
        labels: (N,) class indices, -1 for unlabelled.
        classes: (K,) class names.
        clips: (N, C, T, V, M) preprocessed coordinates, absent bodies zero.
    """
    vectors = clips.flatten(start_dim=1).float().cpu().numpy()  # (N, C*T*V*M)
    return Features(names, labels, classes, {RAW: vectors})


def baselines(
    probes: Sequence[Any],
    trained: Mapping[str, TrainedEncoders],
    store: ClipStore,
    split: Split,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    how: Extraction = Extraction(),  # noqa: B008
) -> dict[str, dict[str, float]]:
    """Top-1 on each test of what trained encoders must beat.

    Args:
        probes: that judged the frozen encoders.
        trained: the encoders by run; the untrained ones have their shapes and streams, and the
            raw coordinates the preprocessing of the first.
        store: the whole data set.
        split: training and test clips.
        seed: of the untrained weights and of the probes.
        device: where the computation runs.
        how: what is read of the untrained encoders.
    """
    device = torch.device(device)
    first = next(iter(trained.values()))
    clips = load(store, range(len(store)), first.preprocess)
    raw = raw_features(store.names, store.labels, store.classes, clips.coordinates)
    blank = merge_features(
        {
            run: extract(untrained_on(device, encoders, seed), store, device, how)
            for run, encoders in trained.items()
        }
    )
    features = {"untrained": blank, RAW: raw}
    judged = [(name, probe) for probe in probes for name in features]
    if not any(isinstance(probe, KnnProbe | FewLabels) for probe in probes):
        judged.append((RAW, KnnProbe()))
    return {
        f"{name}, {found.title.lower()}": found.headline_top1
        for name, probe in judged
        for found in [evaluate_features(probe, features[name], split, seed=seed, device=device)]
    }
