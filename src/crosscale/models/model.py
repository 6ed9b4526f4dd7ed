"""Trained encoders at work: clips in, one vector a clip out."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from crosscale.data.conversion import CoordinateSource, in_layout
from crosscale.errors import BadClip, CrosscaleError
from crosscale.models.checkpoint import Embedder, TrainedEncoders, load_encoders
from crosscale.models.clips import Clips, InMemory, NamedSource, open_source
from crosscale.models.hub import resolve
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipTensors
from crosscale.transforms.preprocess import load as load_clips
from crosscale.utils.text import listed

CHUNK = 1024  # clips in memory at once
# Of full precision and always the same one, so that a vector never depends on its company.
ExactEngine = Literal["torch", "compiled", "openvino", "onnxruntime"]


class Model:
    """The trained encoders of a run, ready for clips of one's own.

    A clip's embedding is the features of each stream, each brought to length 1, one after the
    other, divided by the root of the number of streams. So it has length 1, no stream outweighs
    another by its scale, and the product of two embeddings is the mean of the streams' cosine
    similarities: what search sorts by and what both heads start from.

    Attributes:
        trained: the encoders and all that travels with them.
    """

    def __init__(self, trained: TrainedEncoders, engine: ExactEngine = "torch") -> None:
        self.trained = trained
        self._engine = engine

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams, in the order of their blocks in an embedding."""
        return tuple(self.trained.encoders)

    @property
    def widths(self) -> dict[str, int]:
        """Length of each stream's block in an embedding, in their order."""
        return {name: encoder.dim for name, encoder in self.trained.encoders.items()}

    @property
    def width(self) -> int:
        """Length D of an embedding."""
        return sum(self.widths.values())

    @property
    def layout(self) -> Layout:
        """The layout of the clips that the encoders were trained on."""
        return self.trained.layout

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the encoder file; embeddings of different ones cannot be compared."""
        return self.trained.fingerprint

    def embed(self, clips: Clips, layout: Layout | str | None = None) -> NDArray[np.float32]:
        """Embeddings (N, D) float32 of clips, in their order, each of length 1.

        They do not depend on what else is embedded at once, nor on bodies that no frame shows
        (to about 1e-6). Bodies beyond those of the encoder's preprocessing are left out.

        Args:
            clips: a store, a list of `Clip`, or a list of arrays (T, M, V, C) or (T, V, C) in
                metres (C = 3; of C = 2 any unit), NaN where a body is absent.
            layout: of clips in a list, a name or a file; by default the encoder's. A store
                brings its own.

        Raises:
            CrosscaleError: when the clips do not fit the layout, or that does not fit the encoder.
            BadClip: when a clip is broken or shows nobody that could be embedded.
        """
        parts = list(self.chunks(self._source(clips, layout)))
        return np.concatenate([np.empty((0, self.width), np.float32), *parts])

    def stream_features(
        self, clips: Clips, layout: Layout | str | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Features (N, width) float32 of each stream as its encoder gives them, see `embed`."""
        source = self._source(clips, layout)
        parts: dict[str, list[NDArray[np.float32]]] = {
            stream: [np.empty((0, encoder.dim), np.float32)]
            for stream, encoder in self.trained.encoders.items()
        }
        for start in self.starts(source):
            for stream, values in self._features(source, start).items():
                parts[stream].append(_array(values))
        return {stream: np.concatenate(arrays) for stream, arrays in parts.items()}

    def chunks(self, source: NamedSource) -> Iterator[NDArray[np.float32]]:
        """Embeddings (n, D) of a source, a part at a time, so that any number fits in memory.

        Raises:
            CrosscaleError, BadClip: as `embed`.
        """
        return (self.chunk(source, start) for start in self.starts(source))

    def starts(self, source: NamedSource) -> range:
        """Rows of a source at which its parts begin."""
        return range(0, len(source.names), CHUNK)

    def chunk(self, source: NamedSource, start: int) -> NDArray[np.float32]:
        """Embeddings (n, D) of the part that begins at a row.

        Raises:
            CrosscaleError, BadClip: as `embed`.
        """
        return _array(_joined(self._features(source, start)))

    def embed_present(
        self, source: CoordinateSource, rows: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Embeddings (n, D) of the clips at `rows`, and which of them show anybody (n,).

        The embedding of a clip without anybody is zero.

        Raises:
            BadClip: when the encoder makes nothing of a clip that shows somebody.
        """
        clips = self._load(source, rows)
        features, shown = self._embedder(clips), clips.body_mask.any(dim=1)
        if not _usable(features)[shown].all():
            raise BadClip("gives no usable features; are the coordinates metres?")
        return _array(_joined(features)), shown.cpu().numpy()

    def check_layout(self, layout: Layout) -> None:
        """Refuse clips before there are any.

        Raises:
            CrosscaleError: when the encoder cannot take clips of this layout.
        """
        in_layout(InMemory.of([], layout), self.layout)

    def _source(self, clips: Clips, layout: Layout | str | None) -> NamedSource:
        if isinstance(layout, str):
            layout = Layout.load(layout)
        return open_source(clips, layout or self.layout)

    def _features(self, source: NamedSource, start: int) -> dict[str, Tensor]:
        names = source.names[start : start + CHUNK]
        clips = self._load(source, range(start, start + len(names)))
        shown = clips.body_mask.any(dim=1)
        _refuse(names, ~shown, "shows nobody that the encoder looks at")
        features = self._embedder(clips)
        _refuse(names, ~_usable(features), "gives no usable features; is it in metres?")
        return features

    def _load(self, source: CoordinateSource, rows: Sequence[int]) -> ClipTensors:
        clips = load_clips(in_layout(source, self.layout), rows, self.trained.preprocess)
        device = next(next(iter(self.trained.encoders.values())).parameters()).device
        return ClipTensors(clips.coordinates.to(device), clips.body_mask.to(device))

    @cached_property
    def _embedder(self) -> Embedder:
        """Built once; an engine needs an example only for its shape."""
        encoder = next(iter(self.trained.encoders.values()))
        settings = self.trained.preprocess
        shape = (1, 3, settings.frames, len(self.layout.joints), settings.bodies)
        device = next(encoder.parameters()).device
        blank = ClipTensors(
            torch.zeros(shape, device=device),
            torch.ones((1, settings.bodies), dtype=torch.bool, device=device),
        )
        return Embedder(self.trained, blank, 1, self._engine)


def load(run: Path | str, *, device: str = "cpu", engine: ExactEngine = "torch") -> Model:
    """Load trained encoders for use on recordings of one's own.

        vectors = crosscale.load("runs/nwucla").embed(clips)

    Args:
        run: a run folder, its encoder file, `parts` (which comes with the package and takes
            recordings of any layout with ten parts), or `user/model` on the Hugging Face hub.
        device: cpu or cuda.
        engine: what computes; the others take seconds to build, are faster on thousands of clips
            and agree to about 1e-5.

    Raises:
        CrosscaleError: when there is no encoder, or the engine's library is missing.
        BadCheckpoint: when the encoder's file is damaged.
    """
    try:
        where = torch.device(device)
    except RuntimeError as error:
        raise CrosscaleError(f"no device '{device}': say cpu or cuda") from error
    if where.type == "cuda" and not torch.cuda.is_available():
        raise CrosscaleError("no GPU that PyTorch can use: say --device cpu")
    return Model(load_encoders(resolve(run), where), engine)


def _joined(features: dict[str, Tensor]) -> Tensor:
    """(n, D): every stream's block of length 1, and so divided that the whole has length 1."""
    blocks = [functional.normalize(values.float(), dim=1) for values in features.values()]
    return torch.cat(blocks, dim=1) / len(blocks) ** 0.5


def _usable(features: dict[str, Tensor]) -> Tensor:
    """(n,) whether every stream's features have a length: not zero, not infinite."""
    lengths = torch.stack([values.float().norm(dim=1) for values in features.values()])
    return (torch.isfinite(lengths) & (lengths > 0)).all(dim=0)


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array


def _refuse(names: Sequence[str], wrong: Tensor, what: str) -> None:
    if wrong.any():
        found = [names[i] for i in wrong.nonzero().flatten().tolist()]
        raise BadClip(f"{listed(found)}: {what}")
