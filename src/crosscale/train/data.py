"""From a store to what the loop trains on."""

import numpy as np
import torch

from crosscale.data.protocol import split, validation
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.recipe import Recipe
from crosscale.streams.preprocess import ClipTensors, load
from crosscale.train.loop import TrainingData
from crosscale.train.monitor import NeighbourProbe


def load_training(store: ClipStore, recipe: Recipe, device: torch.device) -> TrainingData:
    """Preprocess the training part once and put it on the device.

    Raises:
        CrosscaleError: when the store has no such protocol or no training clips.
    """
    parts = split(store, recipe.protocol)
    clips = load(store, parts.train.tolist(), recipe.preprocess)
    clips = ClipTensors(clips.coordinates.to(device), clips.present.to(device))
    labels = store.labels[parts.train]
    names = [store.names[row] for row in parts.train]
    probe = _probe(store, recipe, parts.train, clips, labels) if recipe.knn_every else None
    return TrainingData(store, clips, torch.from_numpy(labels).to(device), names, probe)


def _probe(
    store: ClipStore, recipe: Recipe, rows: np.ndarray, clips: ClipTensors, labels: np.ndarray
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
    return NeighbourProbe(_rows(clips, known), _rows(clips, asked), labels[known], labels[asked])


def _rows(clips: ClipTensors, chosen: np.ndarray) -> ClipTensors:
    index = torch.from_numpy(np.flatnonzero(chosen)).to(clips.coordinates.device)
    return clips.take(index)
