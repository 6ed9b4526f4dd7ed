"""Names join clips to clips, never places; labels are checked before any step."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crosscale.errors import CrosscaleError
from crosscale.utils.text import listed

UNLABELLED = -1


def align(wanted: Sequence[str], names: Sequence[str], title: str) -> NDArray[np.int64]:
    """Where each wanted name lies in `names`; both must hold the same names.

    Raises:
        CrosscaleError: naming the clips that only one side has.
    """
    places = {name: i for i, name in enumerate(names)}
    missing = [name for name in wanted if name not in places]
    extra = places.keys() - set(wanted)
    if missing:
        raise CrosscaleError(f"{title} lacks {listed(missing)}")
    if extra:
        raise CrosscaleError(f"{title} has {listed(sorted(extra))}, which the others lack")
    return np.array([places[name] for name in wanted], dtype=np.int64)


def pick(names: Sequence[str], indices: NDArray[np.int64]) -> list[str]:
    """The names at `indices`, in that order."""
    return [names[i] for i in indices.tolist()]


def check_unique(kind: str, names: Sequence[str]) -> None:
    """Refuse names that occur twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise CrosscaleError(f"{kind} names must be unique; more than once: {listed(twice)}")


def check_labels(labels: NDArray[np.int64], clips: int, classes: Sequence[str]) -> None:
    """Refuse labels that are no index of a class and not -1 (unlabelled)."""
    if labels.shape != (clips,) or labels.dtype != np.int64:
        raise CrosscaleError(
            f"labels must be {clips} whole numbers (int64), one per clip; "
            f"got shape {labels.shape} of {labels.dtype}"
        )
    wrong = np.unique(labels[(labels < UNLABELLED) | (labels >= len(classes))])
    if len(wrong):
        raise CrosscaleError(
            f"labels {listed(wrong.tolist())} do not fit {len(classes)} classes: "
            f"allowed are 0 to {len(classes) - 1}, and -1 for an unlabelled clip"
        )
