"""A linear layer on frozen features that is fitted at once, by least squares.

Of few labelled clips it makes more than descent does: see the log of trials in the documentation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from torch import Tensor

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes.base import Probe
from crosscale.evaluation.probes.linear import Normaliser


@dataclass(eq=False, repr=False)
class RidgeProbe(Probe):
    """A linear layer by least squares: 1 for a clip's class and 0 for others.

    Each part of the features, such as what was read of one layer of an encoder, is fitted by
    itself, and the mean of all is scored: together, the widest would outweigh the others.

    Source: Hastie et al., "The elements of statistical learning", section 4.2.

    Attributes:
        penalty: on the layer's squared weights; a part of the features has a mean squared length
            of 1 then.
        root: take each feature's square root first, its sign kept: a few large features would
            outweigh the others ("power normalisation", Perronnin et al., ECCV 2010).
        parts: lengths of the parts of the features, which add up to D; by default all are one.
    """

    penalty: float = 0.03
    root: bool = True
    parts: tuple[int, ...] | None = None

    title = "Linear layer by least squares"

    def check(self) -> None:
        """Refuse settings without sense."""
        if not self.penalty > 0:
            raise CrosscaleError(f"penalty must be above 0, not {self.penalty}")

    def fit(self, X: Any, y: Any) -> "RidgeProbe":
        """Fit the layer to features (N, D), each standardised, with labels (N,)."""
        X, labels = self._learn_classes(X, y)
        targets = np.eye(len(self.classes_))[labels]
        self.layers_: list[tuple[Normaliser, Ridge]] = []
        for part in self._parts(X):
            normaliser = Normaliser(part)
            layer = Ridge(alpha=self.penalty, solver="cholesky")
            self.layers_.append((normaliser, layer.fit(normaliser(part).numpy(), targets)))
        return self

    def _scores(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, K) scores, which add up to 1."""
        fitted = zip(self.layers_, self._parts(x), strict=True)
        scores = [layer.predict(normaliser(part).numpy()) for (normaliser, layer), part in fitted]
        mean: NDArray[np.float64] = np.mean(scores, axis=0)
        return mean.reshape(len(x), -1)  # of a single class, scikit-learn leaves the axis out

    def _parts(self, x: NDArray[np.float32]) -> tuple[Tensor, ...]:
        """The parts (N, D') of features (N, D), in double precision."""
        values = torch.from_numpy(x).double()
        if self.root:
            values = values.sign() * values.abs().sqrt()
        return values.split(self.parts or x.shape[1], dim=1)
