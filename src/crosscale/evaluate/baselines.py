"""What any encoder must beat: guessing, and raw coordinates taken as features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crosscale.evaluate.features import Features

RAW = "raw coordinates"


def chance(classes: Sequence[str]) -> float:
    """Expected accuracy of guessing every class alike."""
    return 1 / len(classes)


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
