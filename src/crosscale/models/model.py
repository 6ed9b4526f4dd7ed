"""Trained encoders at work: clips in, one vector a clip out."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from crosscale.data.conversion import CoordinateSource, in_layout
from crosscale.encoders import described
from crosscale.encoders.base import Encoder, mean_over_bodies
from crosscale.errors import BadClip, CrosscaleError
from crosscale.models.checkpoint import TrainedEncoders, load_encoders
from crosscale.models.clips import Clips, InMemory, NamedSource, open_source
from crosscale.models.features import FeatureExtractor, prepared, readout_of
from crosscale.models.hub import resolve
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import ClipTensors
from crosscale.utils.choices import EngineName
from crosscale.utils.devices import usable
from crosscale.utils.progress import tracked
from crosscale.utils.text import listed

CHUNK = 1024  # clips in memory at once


class Model(nn.Module):
    """The trained encoders of a run, ready for clips of one's own, and for training on.

    A clip's embedding is the features of each stream, each brought to length 1, one after the
    other, divided by the root of the number of streams. So it has length 1, no stream outweighs
    another by its scale, and the product of two embeddings is the mean of the streams' cosine
    similarities: what search sorts by and what both heads start from.

    `embed` and all that takes clips works in evaluation mode whatever the mode, by an engine;
    calling the model, or `forward_features`, goes through the encoders in their mode, and
    gradients come back:

        tensors = model.train().prepare(clips)
        features = model.forward_features(tensors.coordinates, tensors.body_mask)["joint"]

    Attributes:
        trained: the encoders and all that travels with them.
        name: how it was asked for.
        encoders: by stream.
    """

    def __init__(
        self, trained: TrainedEncoders, engine: EngineName = "torch", name: str = ""
    ) -> None:
        super().__init__()
        self.trained = trained
        self.name = name
        self.encoders = nn.ModuleDict({_key(s): e for s, e in trained.encoders.items()})
        self.transforms = nn.ModuleDict(
            {_key(s): StreamTransform(Stream.parse(s), trained.layout) for s in trained.encoders}
        )
        output = trained.output.by_stream if trained.output else {}
        self.outputs = nn.ModuleDict({_key(s): layer for s, layer in output.items()})
        self._engine = engine
        self._built: tuple[object, FeatureExtractor] | None = None
        self.eval()

    @property
    def encoder(self) -> Encoder:
        """The encoder of the only stream.

        Raises:
            CrosscaleError: when there are several.
        """
        if len(self.streams) > 1:
            raise CrosscaleError(
                f"there are encoders of {', '.join(self.streams)}: say which, as in "
                f"model.encoders['{self.streams[0]}']"
            )
        return self.trained.encoders[self.streams[0]]

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams, in the order of their blocks in an embedding."""
        return tuple(self.trained.encoders)

    @property
    def dims(self) -> dict[str, int]:
        """Length of each stream's block in an embedding, in their order."""
        return self.trained.dims

    @property
    def dim(self) -> int:
        """Length D of an embedding."""
        return sum(self.dims.values())

    @property
    def layout(self) -> Layout:
        """The layout of the clips that the encoders were trained on."""
        return self.trained.layout

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the encoder file; embeddings of different ones cannot be compared."""
        return self.trained.fingerprint

    def __repr__(self) -> str:
        trained, settings = self.trained, self.trained.preprocess
        streams = (
            f"  {stream}: {described(encoder)['name']}, {self.dims[stream]} numbers, "
            f"{sum(p.numel() for p in encoder.parameters()):,} weights\n"
            for stream, encoder in trained.encoders.items()
        )
        return (
            f"Model {self.name!r}: {self.dim} numbers of a clip, on {trained.device}\n"
            f"{''.join(streams)}"
            f"  clips: layout {self.layout.name}, {settings.frames} frames, "
            f"{settings.bodies} bodies at most\n"
            f"  weights: {self.fingerprint[:12]}"
        )

    def __getstate__(self) -> dict[str, Any]:
        """All but the engine, which copies build anew."""
        return {**self.__dict__, "_built": None}

    def train(self, mode: bool = True) -> Self:
        """As in PyTorch; `embed` takes the weights as they are after it."""
        self._built = None
        return super().train(mode)

    def forward(self, coordinates: Tensor, body_mask: Tensor | None = None) -> Tensor:
        """Embeddings (N, D) of prepared clips, see `forward_features`."""
        return _joined(self.forward_features(coordinates, body_mask))

    def forward_features(
        self, coordinates: Tensor, body_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Features of prepared clips, through which gradients come back.

        Args:
            coordinates: (N, 3, T, J, M), as `prepare` gives them.
            body_mask: (N, M) bool, which bodies are there; all of them where it is not given.

        Returns:
            (N, D) by stream.
        """
        found = {}
        for name, encoder in self.trained.encoders.items():
            x = self.transforms[_key(name)](coordinates)
            if self.trained.output is None:
                found[name] = encoder(x, body_mask)
                continue
            bodies, clip = encoder.present_bodies(x, body_mask)
            read = readout_of(self.trained, name, network=encoder)
            found[name] = mean_over_bodies(read(bodies), clip, len(x))
        return found

    def prepare(self, clips: Clips, layout: Layout | str | None = None) -> ClipTensors:
        """Clips as the encoders expect them, on their device; see `embed` for what may be given.

        Raises:
            CrosscaleError, BadClip: as `embed`.
        """
        source = open_source(clips, layout, self.layout)
        return prepared(self.trained, source, range(len(source.names)))

    def embed(self, clips: Clips, layout: Layout | str | None = None) -> NDArray[np.float32]:
        """Embeddings (N, D) float32 of clips, in their order, each of length 1.

        They do not depend on what else is embedded at once (but see C = 2 below), nor on bodies
        that no frame shows (to about 1e-6). Bodies beyond those of the encoder's preprocessing are
        left out.

        Args:
            clips: a store, its path, or the path of recordings in a format that is recognised; a
                `Clip`, an array (T, M, V, C) or (T, V, C), NaN where a body is absent, or a joint
                for a moment; or a list of either, or an array (N, T, M, V, C). Of C = 3 arrays are
                metres with y up; of C = 2 as pose estimators give them, in any unit: 0 0 in the
                corner is missing too, and where torsos point down in most clips all are turned
                over.
            layout: of clips that are not a store's, a name or a file; by default the encoder's.

        Raises:
            CrosscaleError: when the clips do not fit the layout, or that does not fit the encoder.
            BadClip: when a clip is broken or shows nobody that could be embedded.
        """
        parts = list(self.chunks(open_source(clips, layout, self.layout)))
        return np.concatenate([np.empty((0, self.dim), np.float32), *parts])

    def chunks(self, source: NamedSource) -> Generator[NDArray[np.float32], None, None]:
        """Embeddings (n, D) of a source, a part at a time, so that any number fits in memory.

        Raises:
            CrosscaleError, BadClip: as `embed`.
        """
        parts = (self.chunk(source, start) for start in self.starts(source))
        return tracked(parts, "embedding clips", len(source.names), len)

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
        clips = prepared(self.trained, source, rows)
        features, shown = self._extract(clips), clips.body_mask.any(dim=1)
        if not _usable(features)[shown].all():
            raise BadClip("gives no usable features; are the coordinates metres?")
        return _array(_joined(features)), shown.cpu().numpy()

    def check_layout(self, layout: Layout) -> None:
        """Refuse clips before there are any.

        Raises:
            CrosscaleError: when the encoder cannot take clips of this layout.
        """
        in_layout(InMemory.of([], layout), self.layout)

    def _features(self, source: NamedSource, start: int) -> dict[str, Tensor]:
        names = source.names[start : start + CHUNK]
        clips = prepared(self.trained, source, range(start, start + len(names)))
        shown = clips.body_mask.any(dim=1)
        _refuse(names, ~shown, "shows nobody that the encoder looks at")
        features = self._extract(clips)
        _refuse(names, ~_usable(features), "gives no usable features; is it in metres?")
        return features

    @property
    def _extract(self) -> FeatureExtractor:
        """Built once for the weights as they are."""
        tensors = [*self.parameters(), *self.buffers()]
        state = [(t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors]
        if self._built is None or self._built[0] != state:
            self._built = state, FeatureExtractor(self.trained, self._engine)
        return self._built[1]


def load_model(
    name: Path | str, *, device: str | torch.device = "cpu", engine: EngineName = "torch"
) -> Model:
    """Load trained encoders for use on recordings of one's own.

        vectors = crosscale.load_model("runs/nwucla").embed(clips)

    Args:
        name: a run folder, its encoder file, `parts` (which comes with the package and takes
            recordings of any layout with ten parts), or `user/model` on the Hugging Face hub.
        device: cpu or cuda.
        engine: what computes; the others take seconds to build, are faster on thousands of clips
            and agree to about 1e-5.

    Raises:
        CrosscaleError: when there is no encoder or device, or the engine's library is missing.
        BadCheckpoint: when the encoder's file is damaged.
    """
    where = usable(device)
    return Model(load_encoders(resolve(name), where), engine, str(name))


load = load_model  # its name in 0.1


def _key(stream: str) -> str:
    """A stream's name as that of a module, which may hold no dot; a scale's may."""
    return stream.replace(".", "_")


def _joined(features: Mapping[str, Tensor]) -> Tensor:
    """(n, D): every stream's block of length 1, and so divided that the whole has length 1."""
    blocks = [functional.normalize(values.float(), dim=1) for values in features.values()]
    return torch.cat(blocks, dim=1) / len(blocks) ** 0.5


def _usable(features: Mapping[str, Tensor]) -> Tensor:
    """(n,) whether every stream's features have a length: not zero, not infinite."""
    lengths = torch.stack([values.float().norm(dim=1) for values in features.values()])
    return (torch.isfinite(lengths) & (lengths > 0)).all(dim=0)


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()


def _refuse(names: Sequence[str], wrong: Tensor, what: str) -> None:
    if wrong.any():
        found = [names[i] for i in wrong.nonzero().flatten().tolist()]
        raise BadClip(f"{listed(found)}: {what}")
