"""A linear layer on frozen features that is fitted at once, by least squares.

Of few labelled clips it makes more than descent does: see the log of trials in the documentation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from crosscale.errors import CrosscaleError
from crosscale.evaluation.linear import standardised


@dataclass(frozen=True)
class RidgeConfig:
    """How the layer is fitted.

    Attributes:
        penalty: on the layer's squared weights; a part of the features has a mean squared length
            of 1 then.
        root: take each feature's square root first, its sign kept: a few large features would
            outweigh the others ("power normalisation", Perronnin et al., ECCV 2010).
    """

    penalty: float = 0.03
    root: bool = True

    def __post_init__(self) -> None:
        if not self.penalty > 0:
            raise CrosscaleError(f"penalty must be above 0, not {self.penalty}")


def ridge_scores(
    train_x: NDArray[np.float32],
    train_y: NDArray[np.int64],
    test_x: NDArray[np.float32],
    classes: int,
    config: RidgeConfig | None = None,
    *,
    parts: Sequence[int] | None = None,
) -> NDArray[np.float32]:
    """Score each class by a linear layer that should be 1 for the clip's class and 0 for others.

    What was read of each block of an encoder is fitted by itself, and the mean of all is scored:
    together, the widest block would outweigh the others.

    Source: Hastie et al., "The elements of statistical learning", section 4.2.

    Args:
        train_x: (N, D) features; each is standardised by the training clips.
        train_y: (N,) labels in 0..classes-1.
        test_x: (N_test, D) features.
        classes: number of classes K.
        config: settings of the fit.
        parts: lengths of the parts of the features, which add up to D; by default all are one.

    Returns:
        (N_test, K) scores, which add up to 1.
    """
    config = config or RidgeConfig()
    ends = np.cumsum(parts or [train_x.shape[1]])[:-1]
    split = zip(np.split(train_x, ends, axis=1), np.split(test_x, ends, axis=1), strict=True)
    targets = np.eye(classes)[train_y]
    scores = [_fitted(train, targets, test, config) for train, test in split]
    return np.mean(scores, axis=0).astype(np.float32)


def _fitted(
    train_x: NDArray[np.float32],
    targets: NDArray[np.float64],
    test_x: NDArray[np.float32],
    config: RidgeConfig,
) -> NDArray[np.float64]:
    """What the layer fitted to one part of the features says, (N_test, K)."""
    train, test = (torch.from_numpy(x).double() for x in (train_x, test_x))
    if config.root:
        train, test = (x.sign() * x.abs().sqrt() for x in (train, test))
    train, test = standardised(train, test)
    layer = Ridge(alpha=config.penalty, solver="cholesky").fit(train.numpy(), targets)
    scores: NDArray[np.float64] = layer.predict(test.numpy())
    return scores
