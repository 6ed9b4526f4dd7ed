"""Judging encoders while they train, by the training clips alone."""

import numpy as np
import torch

from crosscale.data.splits import split, validation
from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes.knn import knn_scores
from crosscale.models.features import embed_stream
from crosscale.training.callbacks import EpochEnd
from crosscale.training.recipe import Recipe
from crosscale.training.sources import Source, StoreSource
from crosscale.transforms.modality import Stream, StreamTransform

CHUNK = 1024  # clips in memory at once


class NeighbourProbe:
    """Nearest-neighbour accuracy among the training clips, never looking at test clips.

    The training part is cut in two by what the protocol keeps apart (cameras, subjects, setups);
    one half is classified by the other.
    """

    def __init__(
        self, source: StoreSource, gallery: np.ndarray, query: np.ndarray, every: int
    ) -> None:
        """Take note of the halves: numbers of the clips of each.

        Args:
            source: what trains.
            gallery: numbers of the clips that classify.
            query: numbers of the clips that are classified.
            every: epochs between two looks.
        """
        self.source, self.gallery, self.query, self.every = source, gallery, query, every
        labels = source.labels.cpu().numpy()
        self.gallery_y, self.query_y = labels[gallery], labels[query]
        self.classes = int(max(self.gallery_y.max(), self.query_y.max())) + 1

    @classmethod
    def of(cls, source: Source, recipe: Recipe) -> "NeighbourProbe | None":
        """The probe that a recipe asks for; none where labels or a way to cut are lacking."""
        if not recipe.knn_every or not isinstance(source, StoreSource):
            return None
        labels = source.labels.cpu().numpy()
        if (labels >= 0).sum() < 2:
            return None
        try:
            halves = validation(split(source.store, recipe.protocol), source.store)
        except CrosscaleError:
            return None
        gallery = np.isin(source.rows, halves.train) & (labels >= 0)
        query = np.isin(source.rows, next(iter(halves.tests.values()))) & (labels >= 0)
        if not gallery.any() or not query.any():
            return None
        return cls(source, np.flatnonzero(gallery), np.flatnonzero(query), recipe.knn_every)

    def __call__(self, done: EpochEnd) -> None:
        """Add the top-1 of each stream, between 0 and 1, where a look is due."""
        if done.epoch % self.every:
            return
        for name, encoder in done.objective.encoders().items():
            transform = StreamTransform(Stream.parse(name), self.source.layout)
            gallery, query = (
                torch.cat(
                    [
                        embed_stream(encoder, transform, self.source.clips.take(some)).cpu()
                        for some in torch.from_numpy(half).split(CHUNK)
                    ]
                ).numpy()
                for half in (self.gallery, self.query)
            )
            scores = knn_scores(gallery, self.gallery_y, query, self.classes)
            done.metrics[f"{name}/knn"] = float((scores.argmax(axis=1) == self.query_y).mean())
