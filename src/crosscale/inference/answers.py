"""What a head says of clips, in words: a class or "none of these", and the runner-up."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crosscale.inference.head import Head

NONE = "none of these"
SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "label": pa.string(),
        "probability": pa.float64(),
        "runner_up": pa.string(),
        "runner_up_probability": pa.float64(),
    }
)


def answer(head: Head, vectors: NDArray[np.float32], names: Sequence[str]) -> pa.Table:
    """Ask a head of class names about clips.

    Args:
        head: fitted.
        vectors: (N, D) embeddings.
        names: (N,) of the clips.

    Returns:
        A row a clip: its name; label, a class or `none of these`; the probability of that class,
        null for none; runner_up, the second most probable class, or after `none of these` the most
        probable; and runner_up_probability.
    """
    if not len(vectors):
        return SCHEMA.empty_table()
    probabilities, known = head.answer(vectors)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]  # (N, 2)
    best, second = np.take_along_axis(probabilities, order, axis=1).T
    first, next_one = head.classes_.astype(object)[order].T
    return pa.table(
        {
            "name": list(names),
            "label": np.where(known, first, NONE),
            "probability": pa.array(best, mask=~known),
            "runner_up": np.where(known, next_one, first),
            "runner_up_probability": np.where(known, second, best),
        },
        schema=SCHEMA,
    )
