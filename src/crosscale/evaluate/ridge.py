"""A linear layer on frozen features that is fitted at once, by least squares.

Of few labelled clips it makes more than descent does: see the log of trials in the documentation.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from crosscale.errors import CrosscaleError
from crosscale.evaluate.linear import standardised


@dataclass(frozen=True)
class RidgeConfig:
    """How the layer is fitted.

    Attributes:
        penalty: on the layer's squared weights; the features have a mean squared length of 1 then.
        root: take each feature's square root first, its sign kept: a few large features would
            outweigh the others ("power normalisation", Perronnin et al., ECCV 2010).
    """

    penalty: float = 0.1
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
) -> NDArray[np.float32]:
    """Score each class by a linear layer that should be 1 for the clip's class and 0 for others.

    Source: Hastie et al., "The elements of statistical learning", section 4.2.

    Args:
        train_x: (N, D) features; each is standardised by the training clips.
        train_y: (N,) labels in 0..classes-1.
        test_x: (N_test, D) features.
        classes: number of classes K.
        config: settings of the fit.

    Returns:
        (N_test, K) scores, which add up to 1.
    """
    config = config or RidgeConfig()
    train, test = (torch.from_numpy(x).double() for x in (train_x, test_x))
    if config.root:
        train, test = (x.sign() * x.abs().sqrt() for x in (train, test))
    train, test = standardised(train, test)
    layer = Ridge(alpha=config.penalty, solver="cholesky")
    layer.fit(train.numpy(), np.eye(classes)[train_y])
    scores: NDArray[np.float32] = layer.predict(test.numpy()).astype(np.float32)
    return scores
