"""What any encoder must beat: guessing, raw coordinates, and the encoder before training."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.encoders.readout import ReadoutName
from crosscale.evaluation.evaluation import Config, Kind, evaluate
from crosscale.evaluation.extract import extract, untrained_on
from crosscale.evaluation.features import Features, merge_features
from crosscale.evaluation.named import UNLABELLED
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.transforms.preprocess import load

RAW = "raw coordinates"


def chance(labels: NDArray[np.int64]) -> float:
    """Expected accuracy of guessing every class that occurs alike."""
    return 1 / len(np.unique(labels[labels != UNLABELLED]))


def raw_features(
    names: Sequence[str], labels: NDArray[np.int64], classes: Sequence[str], clips: Tensor
) -> Features:
    """Flatten preprocessed clips into features, so that every evaluation runs on them.

    Args:
        names: (N,) clip names.
        labels: (N,) class indices, -1 for unlabelled.
        classes: (K,) class names.
        clips: (N, C, T, V, M) preprocessed coordinates, absent bodies zero.
    """
    vectors = clips.flatten(start_dim=1).float().cpu().numpy()  # (N, C*T*V*M)
    return Features(names, labels, classes, {RAW: vectors})


def floors(
    kind: Kind,
    trained: Sequence[TrainedEncoders],
    store: ClipStore,
    split: Split,
    config: Config,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    readout: ReadoutName = "mean",
    mirror: bool = False,
) -> dict[str, dict[str, float]]:
    """Top-1 on each test of what trained encoders must beat.

    Args:
        kind: of the evaluation that the encoders went through, on frozen features.
        trained: the encoders; the untrained ones have their shapes and streams, and the raw
            coordinates the preprocessing of the first.
        store: the whole data set.
        split: training and test clips.
        config: of that kind.
        seed: of the untrained weights and of the linear layer.
        device: where the computation runs.
        readout: of the untrained encoders.
        mirror: take the mean of the untrained encoders' features and of those of mirror images.
    """
    device = torch.device(device)
    clips = load(store, range(len(store)), trained[0].preprocess)
    raw = raw_features(store.names, store.labels, store.classes, clips.coordinates)
    untrained = {str(i): untrained_on(device, t, seed) for i, t in enumerate(trained)}
    blank = merge_features(
        {
            i: extract(encoders, store, device, readout=readout, mirror=mirror)
            for i, encoders in untrained.items()
        }
    )
    judged = [("untrained", evaluate(kind, blank, split, config, seed=seed))]
    judged += [(RAW, evaluate(kind, raw, split, config, seed=seed))]
    if kind in ("linear", "ridge"):
        judged += [(RAW, evaluate("knn", raw, split))]
    return {f"{name}, {result.title.lower()}": result.headline_top1 for name, result in judged}
