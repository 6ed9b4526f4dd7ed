"""Features of a whole store from trained encoders: computed once, kept beside the run."""

from pathlib import Path

import numpy as np
import torch

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluate.features import Features, cached_features, features_key
from crosscale.files import sha256
from crosscale.run import TrainedEncoders
from crosscale.streams.preprocess import ClipTensors, load

CHUNK = 1024


def extract(encoders: TrainedEncoders, store: ClipStore, device: torch.device) -> Features:
    """Embed every clip of a store, in the store's order.

    Raises:
        CrosscaleError: when the store's joints are not those that the encoders were trained on.
    """
    if store.layout.joints != encoders.layout.joints:
        raise CrosscaleError(
            f"{store.path} has layout {store.layout.name}, the encoders were trained on "
            f"{encoders.layout.name}: their joints differ"
        )
    parts: dict[str, list[np.ndarray]] = {stream: [] for stream in encoders.encoders}
    for start in range(0, len(store), CHUNK):
        rows = list(range(start, min(start + CHUNK, len(store))))
        clips = load(store, rows, encoders.preprocess)
        clips = ClipTensors(clips.coordinates.to(device), clips.present.to(device))
        for stream, embedded in encoders.embed(clips).items():
            parts[stream].append(embedded.float().cpu().numpy())
    vectors = {stream: np.concatenate(arrays) for stream, arrays in parts.items()}
    return Features(store.names, store.labels, store.classes, vectors)


def extract_once(
    encoders: TrainedEncoders, store: ClipStore, device: torch.device, folder: Path
) -> Features:
    """As `extract`, taken from the folder's cache when encoders and store are the same."""
    key = features_key(checkpoint=encoders.fingerprint, store=sha256(store.path / "store.json"))
    path = folder / f"features-{store.name}-{key[:12]}.npz"
    return cached_features(path, key, lambda: extract(encoders, store, device))
