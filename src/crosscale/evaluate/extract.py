"""Features of a whole store from trained encoders: computed once, kept beside the run."""

from pathlib import Path

import numpy as np
import torch

from crosscale.data.store import ClipStore
from crosscale.encoder.engines import CALIBRATION_BODIES, EngineChoice
from crosscale.errors import CrosscaleError
from crosscale.evaluate.features import Features, cached_features, features_key
from crosscale.files import sha256
from crosscale.run import Embedder, TrainedEncoders
from crosscale.streams.preprocess import ClipTensors, load

CHUNK = 1024


def extract(
    encoders: TrainedEncoders,
    store: ClipStore,
    device: torch.device,
    engine: EngineChoice = "auto",
) -> Features:
    """Embed every clip of a store, in the store's order.

    Args:
        encoders: on `device`.
        store: of any size; a part of it is in memory at a time.
        device: where the computation runs.
        engine: what computes; all but `openvino-int8` agree to about 1e-5.

    Raises:
        CrosscaleError: when the store's joints are not those that the encoders were trained on,
            or the engine's library is missing.
    """
    if store.layout.joints != encoders.layout.joints:
        raise CrosscaleError(
            f"{store.path} has layout {store.layout.name}, the encoders were trained on "
            f"{encoders.layout.name}: their joints differ"
        )
    spread = np.linspace(0, len(store) - 1, min(len(store), CALIBRATION_BODIES)).astype(int)
    sample = _load(store, spread.tolist(), encoders, device)
    embed = Embedder(encoders, sample, len(store), engine)
    parts: dict[str, list[np.ndarray]] = {stream: [] for stream in encoders.encoders}
    for start in range(0, len(store), CHUNK):
        rows = list(range(start, min(start + CHUNK, len(store))))
        for stream, embedded in embed(_load(store, rows, encoders, device)).items():
            parts[stream].append(embedded.float().cpu().numpy())
    vectors = {stream: np.concatenate(arrays) for stream, arrays in parts.items()}
    return Features(store.names, store.labels, store.classes, vectors)


def extract_once(
    encoders: TrainedEncoders,
    store: ClipStore,
    device: torch.device,
    folder: Path,
    engine: EngineChoice = "auto",
) -> Features:
    """As `extract`, taken from the folder's cache when encoders and store are the same.

    Features of full precision are the same for the cache, whichever engine computed them.
    """
    sources = {"checkpoint": encoders.fingerprint, "store": sha256(store.path / "store.json")}
    if engine == "openvino-int8":
        sources["engine"] = engine
    key = features_key(**sources)
    path = folder / f"features-{store.name}-{key[:12]}.npz"
    return cached_features(path, key, lambda: extract(encoders, store, device, engine))


def _load(
    store: ClipStore, rows: list[int], encoders: TrainedEncoders, device: torch.device
) -> ClipTensors:
    clips = load(store, rows, encoders.preprocess)
    return ClipTensors(clips.coordinates.to(device), clips.present.to(device))
