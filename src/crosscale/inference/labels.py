"""Which clips of a store are labelled, and how: by the store itself or by a table."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.inference.answers import NONE
from crosscale.readers.naming import rows_by_clip
from crosscale.utils.text import counted


def label_names(store: ClipStore) -> NDArray[Any]:
    """(N,) class names of a store's clips, None where there is none."""
    names = np.array([*store.classes, None], dtype=object)
    return names[store.labels]  # -1 is the last


def people_of(store: ClipStore, names: Iterable[str]) -> NDArray[np.int64] | None:
    """Who is in each of some clips (n,), or None where the store does not know it of all of them.

    Heads that know it judge themselves on people whom they have not seen.
    """
    people = dict(zip(store.names, store.column("subject"), strict=True))
    found = np.array([people.get(name, -1) for name in names])
    return found if (found >= 0).all() else None


def labels_of(store: ClipStore, table: Path | None = None) -> NDArray[Any]:
    """(N,) class names to learn from, None for a clip without.

    Args:
        store: the clips.
        table: a CSV or Parquet file with the columns name and label; None takes the store's own
            labels.

    Raises:
        CrosscaleError: when the table names a clip that is not there, or there is no label.
    """
    labels = label_names(store) if table is None else _from_table(store, table)
    if NONE in labels:
        raise CrosscaleError(f"'{NONE}' cannot be a class: leave such clips without a label")
    where = store.path if table is None else table
    classes = {label for label in labels if label is not None}
    if len(classes) < 2:
        raise CrosscaleError(
            f"{where} labels {counted(len(classes), 'class')}; label clips of two or more"
            + ("" if table else ", in a table given with --labels")
        )
    return labels


def _from_table(store: ClipStore, table: Path) -> NDArray[Any]:
    places = {name: i for i, name in enumerate(store.names)}
    labels = np.full(len(store), None, dtype=object)
    for name, fields in rows_by_clip(table, places).items():
        if "label" not in fields:
            raise CrosscaleError(f"{table} gives no label for {name}; fill it in or take it out")
        labels[places[name]] = fields["label"]
    return labels
