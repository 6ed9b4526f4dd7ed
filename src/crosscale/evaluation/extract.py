"""Features of a whole store from trained encoders: computed once, kept beside the run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from crosscale.augment.spatial import Mirror
from crosscale.data.store import ClipStore
from crosscale.encoders.base import Pooling
from crosscale.encoders.readout import Layers
from crosscale.evaluation.features import Features, cached_features, features_key
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.features import FeatureExtractor, prepared
from crosscale.utils.choices import EngineChoice
from crosscale.utils.progress import tracked

CHUNK = 1024
# What 0.1 called a readout.
READOUTS: Mapping[str, tuple[Pooling, Layers]] = MappingProxyType(
    {"mean": ("mean", 1), "nodes": ("nodes", 1), "blocks": ("nodes", 3), "all": ("nodes", "all")}
)


@dataclass(frozen=True)
class Extraction:
    """How features are taken from encoders.

    Attributes:
        pooling: of each layer that is read, see `crosscale.encoders.readout.Readout`; by default
            what the encoders' file says: as trained, or an output layer that was fitted to them.
        layers: how many of the last are read, or `all`.
        mirror: mean of each clip's features and of those with its left and right exchanged.
        engine: what computes; all agree to about 1e-5.
    """

    pooling: Pooling | None = None
    layers: Layers = 1
    mirror: bool = False
    engine: EngineChoice = "auto"

    def __str__(self) -> str:
        """In words."""
        read = {
            None: "features as trained",
            "mean": "the mean over time and nodes",
            "statistics": "mean, largest and deviation over time and nodes",
            "nodes": "the mean over time of each node",
        }[self.pooling]
        several = "all layers" if self.layers == "all" else f"the last {self.layers} layers"
        layers = "" if self.layers == 1 else f", of {several}"
        images = ", averaged with those of the mirror image" if self.mirror else ""
        return f"{read}{layers}{images}"

    @property
    def label(self) -> str:
        """In short, for names of folders and of columns; empty for the usual."""
        words = [] if self.pooling in (None, "mean") else [str(self.pooling)]
        words += [] if self.layers == 1 else [str(self.layers)]
        return "-".join([*words, *(["mirror"] if self.mirror else [])])


def extract(
    encoders: TrainedEncoders,
    store: ClipStore,
    how: Extraction = Extraction(),
    kept_in: Path | None = None,
) -> Features:
    """Features of every clip of a store, in the store's order.

    Args:
        encoders: where they are, it is computed.
        store: of any size; a part of it is in memory at a time.
        how: what is read of the encoders, and by which engine.
        kept_in: a folder where they are kept, and taken from when encoders and store are the same,
            whichever engine computed them.

    Raises:
        CrosscaleError: when the store's clips cannot be brought to the encoders' layout, or the
            engine's library is missing.
    """
    if kept_in is None:
        return _extracted(encoders, store, how)
    key = features_key(
        checkpoint=encoders.fingerprint,
        store=store.fingerprint,
        pooling=how.pooling,
        layers=how.layers,
        mirror=how.mirror,
    )
    path = kept_in / f"features-{store.name}-{key[:12]}.npz"
    return cached_features(path, key, lambda: _extracted(encoders, store, how))


def _extracted(encoders: TrainedEncoders, store: ClipStore, how: Extraction) -> Features:
    bodies = int(store.column("bodies").clip(max=encoders.preprocess.bodies).sum())
    compute = FeatureExtractor(
        encoders, how.engine, pooling=how.pooling, layers=how.layers, bodies=bodies
    )
    mirrored = Mirror(1.0, encoders.layout.other_side)
    parts: dict[str, list[np.ndarray]] = {stream: [] for stream in encoders.encoders}
    starts = range(0, len(store), CHUNK)
    for start in tracked(starts, "embedding clips, by the thousand", len(starts)):
        clips = prepared(encoders, store, range(start, min(start + CHUNK, len(store))))
        found = compute(clips)
        if how.mirror:
            images = compute(replace(clips, coordinates=mirrored(clips.coordinates)))
            found = {stream: (own + images[stream]) / 2 for stream, own in found.items()}
        for stream, values in found.items():
            parts[stream].append(values.float().cpu().numpy())
    vectors = {stream: np.concatenate(arrays) for stream, arrays in parts.items()}
    return Features(store.names, store.labels, store.classes, vectors, compute.parts)
