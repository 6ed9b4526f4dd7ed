"""From a store to what the loop trains on."""

import numpy as np
import torch

from crosscale.data.splits import split, validation
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.training.callbacks import NeighbourProbe
from crosscale.training.loop import TrainingData
from crosscale.training.recipe import Recipe
from crosscale.transforms.preprocess import ClipSource, ClipTensors, StoredClips


def load_training(store: ClipStore, recipe: Recipe, device: torch.device) -> TrainingData:
    """The training part: kept on a device of its own, on a processor taken batch by batch.

    A batch takes a processor milliseconds to preprocess, a step far longer; so memory need not
    grow with the data. Another device would have to wait for each batch. Which bodies are there
    stays on the host, which has to know their number before it can start a step.

    Raises:
        CrosscaleError: when the store has no such protocol or no training clips.
    """
    parts = split(store, recipe.protocol)
    clips: ClipSource = StoredClips(store, parts.train, recipe.preprocess)
    if device.type != "cpu":
        whole = clips.take(torch.arange(len(parts.train)))
        clips = ClipTensors(whole.coordinates.to(device), whole.body_mask)
    labels = store.labels[parts.train]
    names = [store.names[row] for row in parts.train]
    probe = _probe(store, recipe, parts.train, clips, labels) if recipe.knn_every else None
    return TrainingData(store, clips, torch.from_numpy(labels).to(device), names, probe)


def _probe(
    store: ClipStore, recipe: Recipe, rows: np.ndarray, clips: ClipSource, labels: np.ndarray
) -> NeighbourProbe | None:
    if (labels >= 0).sum() < 2:
        return None
    try:
        halves = validation(split(store, recipe.protocol), store)
    except CrosscaleError:
        return None
    known = np.isin(rows, halves.train) & (labels >= 0)
    asked = np.isin(rows, next(iter(halves.tests.values()))) & (labels >= 0)
    if not known.any() or not asked.any():
        return None
    return NeighbourProbe(clips, np.flatnonzero(known), np.flatnonzero(asked), labels)
