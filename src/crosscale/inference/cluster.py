"""Embeddings of a store by all machines of a cluster."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.models.model import Model, load
from crosscale.utils.cluster import over_cluster


def embed_on_cluster(
    model: Model, run: Path, store: ClipStore, device: str
) -> Generator[NDArray[np.float32], None, None]:
    """As `Model.chunks`, part by part over a Ray cluster whose machines see run and store.

    Raises:
        CrosscaleError, BadClip: as `Model.embed`, and when a machine has another encoder or store.
    """
    where = run.resolve() if run.exists() else run
    arguments = (where, model.fingerprint, store.path.resolve(), store.fingerprint, device)
    return over_cluster(
        _Embedding, arguments, list(model.starts(store)), on_gpus=device.startswith("cuda")
    )


class _Embedding:
    """Encoder and store, opened in a process of a cluster."""

    def __init__(self, run: Path, encoder: str, path: Path, store: str, device: str) -> None:
        self._model, self._store = load(run, device=device), ClipStore.open(path)
        if self._model.fingerprint != encoder or self._store.fingerprint != store:
            raise CrosscaleError(
                f"a machine of the cluster has another {run} or {path}; "
                "both must lie where all machines read the same"
            )

    def __call__(self, start: int) -> NDArray[np.float32]:
        """Embeddings (n, D) of the part that begins at a row."""
        return self._model.chunk(self._store, start)
