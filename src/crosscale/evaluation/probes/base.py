"""What the probes of this package share: answers from scores, as scikit-learn has them."""

import warnings
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data


class Probe(ClassifierMixin, BaseEstimator):
    """A classifier of features; its settings are the fields of a dataclass.

    Attributes:
        title: what reports call it.
        classes_: (K,) the classes of the clips that it was fitted to, sorted.
    """

    title: ClassVar[str]

    @abstractmethod
    def check(self) -> None:
        """Refuse settings without sense; `fit` does it first."""

    @abstractmethod
    def _scores(self, x: NDArray[np.float32]) -> NDArray[Any]:
        """(N, K) scores of features (N, D)."""

    def decision_function(self, X: Any) -> NDArray[Any]:
        """How much each class is favoured, (N, K); of two classes (N,), that of the second.

        Args:
            X: (N, D) features.
        """
        check_is_fitted(self)
        scores = self._scores(validate_data(self, X, dtype=np.float32, reset=False))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """The answer for each clip (N,) of features (N, D)."""
        scores = self.decision_function(X)
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        return self.classes_[best]

    def _learn_classes(self, X: Any, y: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Checked features (N, D), and labels (N,) as numbers of `classes_`."""
        self.check()
        X, y = validate_data(self, X, y, dtype=np.float32)
        with warnings.catch_warnings():  # of many classes among few labels
            warnings.simplefilter("ignore", UserWarning)
            check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return X, labels
