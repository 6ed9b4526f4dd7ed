"""Several models' embeddings of the same clips, side by side as one."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crosscale.data.conversion import CoordinateSource
from crosscale.models.clips import NamedSource
from crosscale.models.model import Model
from crosscale.skeleton.layout import Layout
from crosscale.utils.progress import tracked


class Embedder(Protocol):
    """What heads, segments and live answers need of a model, or of several side by side."""

    @property
    def dim(self) -> int:
        """Length D of an embedding."""

    @property
    def fingerprint(self) -> str:
        """Embeddings of different ones cannot be compared."""

    def check_layout(self, layout: Layout) -> None:
        """Refuse clips of a layout that it cannot take, before there are any."""

    def chunks(self, source: NamedSource) -> Iterator[NDArray[np.float32]]:
        """Embeddings (n, D) of a source, a part at a time."""

    def embed_present(
        self, source: CoordinateSource, rows: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Embeddings (n, D) of the clips at `rows`, and which of them show anybody (n,)."""


class SideBySide:
    """Models whose embeddings are put one after the other, so divided that each has length 1.

    The product of two such embeddings is the mean of the models' cosine similarities.

    Attributes:
        models: in the order of their blocks.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)

    @property
    def dim(self) -> int:
        """Length D of an embedding."""
        return sum(model.dim for model in self.models)

    @property
    def fingerprint(self) -> str:
        """Of all the models' fingerprints."""
        together = " ".join(model.fingerprint for model in self.models)
        return hashlib.sha256(together.encode()).hexdigest()

    def check_layout(self, layout: Layout) -> None:
        """As `Model` has it."""
        for model in self.models:
            model.check_layout(layout)

    def chunks(self, source: NamedSource) -> Iterator[NDArray[np.float32]]:
        """As `Model` has it."""
        parts = (
            self._joined([model.chunk(source, start) for model in self.models])
            for start in self.models[0].starts(source)
        )
        return tracked(parts, "embedding clips", len(source.names), len)

    def embed_present(
        self, source: CoordinateSource, rows: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """As `Model` has it."""
        found = [model.embed_present(source, rows) for model in self.models]
        return self._joined([vectors for vectors, _ in found]), found[0][1]

    def _joined(self, parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        joined: NDArray[np.float32] = np.concatenate(parts, axis=1)
        return joined / np.float32(len(parts) ** 0.5)
