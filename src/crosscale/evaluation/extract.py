"""Features of a whole store from trained encoders: computed once, kept beside the run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.augment.spatial import Mirror
from crosscale.data.conversion import in_layout
from crosscale.data.store import ClipStore
from crosscale.encoders.engines import EngineChoice
from crosscale.encoders.readout import READOUTS, ReadoutName
from crosscale.errors import CrosscaleError
from crosscale.evaluation.features import Features, cached_features, features_key
from crosscale.models.checkpoint import TrainedEncoders, untrained
from crosscale.models.features import FeatureExtractor
from crosscale.transforms.preprocess import ClipTensors, load

CHUNK = 1024


def extract(
    encoders: TrainedEncoders,
    store: ClipStore,
    device: torch.device,
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    *,
    mirror: bool = False,
) -> Features:
    """Embed every clip of a store, in the store's order.

    Args:
        encoders: on `device`.
        store: of any size; a part of it is in memory at a time.
        device: where the computation runs.
        engine: what computes; all agree to about 1e-5.
        readout: what is read of each encoder, see `crosscale.encoders.readout`.
        mirror: mean of each clip's features and of those with its left and right exchanged.

    Raises:
        CrosscaleError: when the store's clips cannot be brought to the encoders' layout, or the
            engine's library is missing.
    """
    check_layout(encoders, store)
    pooling, layers = READOUTS[readout]
    bodies = int(store.column("bodies").clip(max=encoders.preprocess.bodies).sum())
    embed = FeatureExtractor(encoders, engine, pooling=pooling, layers=layers, bodies=bodies)
    mirrored = Mirror(1.0, encoders.layout.other_side)
    parts: dict[str, list[np.ndarray]] = {stream: [] for stream in encoders.encoders}
    for start in range(0, len(store), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(store)))
        clips = load_onto(device, encoders, store, rows)
        found = embed(clips)
        if mirror:
            images = embed(replace(clips, coordinates=mirrored(clips.coordinates)))
            found = {stream: (own + images[stream]) / 2 for stream, own in found.items()}
        for stream, embedded in found.items():
            parts[stream].append(embedded.float().cpu().numpy())
    vectors = {stream: np.concatenate(arrays) for stream, arrays in parts.items()}
    return Features(store.names, store.labels, store.classes, vectors, embed.parts)


def extract_once(
    encoders: TrainedEncoders,
    store: ClipStore,
    device: torch.device,
    folder: Path,
    engine: EngineChoice = "auto",
    readout: ReadoutName = "mean",
    *,
    mirror: bool = False,
) -> Features:
    """As `extract`, taken from the folder's cache when encoders and store are the same.

    Features are the same for the cache, whichever engine computed them.
    """
    sources: dict[str, object]
    sources = {"checkpoint": encoders.fingerprint, "store": store.fingerprint}
    if readout != "mean":
        sources["readout"] = readout
    if mirror:
        sources["mirror"] = mirror
    key = features_key(**sources)
    path = folder / f"features-{store.name}-{key[:12]}.npz"
    return cached_features(
        path, key, lambda: extract(encoders, store, device, engine, readout, mirror=mirror)
    )


def check_layout(encoders: TrainedEncoders, store: ClipStore) -> None:
    """Refuse a store whose clips cannot be brought to the encoders' layout.

    Raises:
        CrosscaleError: naming both layouts.
    """
    try:
        in_layout(store, encoders.layout)
    except CrosscaleError as error:
        raise CrosscaleError(f"{store.path}: {error}") from error


def load_onto(
    device: torch.device, encoders: TrainedEncoders, store: ClipStore, rows: NDArray[np.int64]
) -> ClipTensors:
    """The clips at `rows` of a store, preprocessed as the encoders expect, on a device."""
    clips = load(in_layout(store, encoders.layout), rows.tolist(), encoders.preprocess)
    return ClipTensors(clips.coordinates.to(device), clips.body_mask.to(device))


def untrained_on(
    device: torch.device | str, trained: TrainedEncoders, seed: int
) -> TrainedEncoders:
    """The encoders before any training, see `untrained`, on a device."""
    blank = untrained(trained, seed)
    encoders = {name: encoder.to(device) for name, encoder in blank.encoders.items()}
    return replace(blank, encoders=encoders)
