"""Which clips of a store to look at."""

from collections.abc import Sequence

import numpy as np

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, nearest

CLASSES = 6  # when no clip is named


def rows_of(store: ClipStore, names: Sequence[str]) -> list[int]:
    """Rows of the named clips, in that order; when none is named, those of `first_of_classes`.

    Raises:
        CrosscaleError: when the store has no clip of a name (the nearest right one is given).
    """
    if not names:
        return first_of_classes(store)
    row_of = {name: row for row, name in enumerate(store.names)}
    for name in names:
        if name not in row_of:
            raise CrosscaleError(f"{store.path} has no clip '{name}': {nearest(name, store.names)}")
    return [row_of[name] for name in names]


def first_of_classes(store: ClipStore, classes: int = CLASSES) -> list[int]:
    """The first clip of each of the first classes that have one; without labels the first clips."""
    found, rows = np.unique(store.labels, return_index=True)
    rows = rows[found >= 0][:classes]
    return rows.tolist() if len(rows) else list(range(min(classes, len(store))))
