"""What a head says of clips, in words: a class or "none of these", and the second best."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crosscale.inference.head import Head

NONE = "none of these"


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to N clips.

    Attributes:
        labels: (N,) class names, or `none of these`.
        probabilities: (N,) of the label; NaN for `none of these`, which has none.
        runner_up: (N,) the second most probable class; after `none of these`, the most probable.
        runner_up_probability: (N,) of it.
        codes: (N,) int64 place of the label among the head's classes, -1 for `none of these`.
    """

    labels: NDArray[Any]
    probabilities: NDArray[np.float64]
    runner_up: NDArray[Any]
    runner_up_probability: NDArray[np.float64]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, head: Head, vectors: NDArray[np.float32]) -> "Answers":
        """Ask a head of class names about embeddings (N, D)."""
        if not len(vectors):
            words, numbers = np.empty(0, object), np.empty(0)
            return cls(words, numbers, words, numbers, np.empty(0, np.int64))
        probabilities, known = head.answer(vectors)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]  # (N, 2)
        best, second = np.take_along_axis(probabilities, order, axis=1).T
        first, next_one = head.classes_.astype(object)[order].T
        return cls(
            labels=np.where(known, first, NONE),
            probabilities=np.where(known, best, np.nan),
            runner_up=np.where(known, next_one, first),
            runner_up_probability=np.where(known, second, best),
            codes=np.where(known, order[:, 0], -1),
        )

    def counts(self) -> Counter[str]:
        """How many clips have each label."""
        return Counter(self.labels.tolist())

    def table(self, names: list[str]) -> pa.Table:
        """Columns name, label, probability, runner_up, runner_up_probability; null for none."""
        none = self.codes < 0
        return pa.table(
            {
                "name": pa.array(names, pa.string()),
                "label": pa.array(self.labels, pa.string()),
                "probability": pa.array(self.probabilities, pa.float64(), mask=none),
                "runner_up": pa.array(self.runner_up, pa.string()),
                "runner_up_probability": pa.array(self.runner_up_probability, pa.float64()),
            }
        )
