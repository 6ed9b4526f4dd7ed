"""The one way from prepared clips to features: each stream's encoder, body by body.

A clip's features are the mean over its bodies of what is read of the encoder. Evaluation,
embedding, search and the applications compute them by a `FeatureExtractor`; training, which has no
use for an engine, by `embed_stream`; exported programs hold the same, see `models.export`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crosscale.data.conversion import CoordinateSource, in_layout
from crosscale.encoders.base import Encoder, Pooling, mean_over_bodies
from crosscale.encoders.engines import Engine, build, choose
from crosscale.encoders.readout import Layers, Readout
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import ClipTensors, load
from crosscale.utils.choices import EngineChoice

AT_ONCE = 256  # clips


class FeatureExtractor:
    """Features of each stream, computed by engines that are built once.

    Engines agree to about 1e-5 of the features' size.

    Attributes:
        parts: of each stream, the lengths of what is read of its layers.
    """

    def __init__(
        self,
        trained: TrainedEncoders,
        engine: EngineChoice = "torch",
        *,
        pooling: Pooling | None = None,
        layers: Layers = 1,
        bodies: int = 0,
    ) -> None:
        """Build an engine for each stream; later changes of the weights are not seen.

        Args:
            trained: the encoders; whether they know of folding or engines is all one.
            engine: one by name, or `auto`: PyTorch for few bodies, which are done before a faster
                engine is built; else the fastest that is installed.
            pooling: how each layer is pooled, see `Readout`.
            layers: how many of the last ones are read. With neither given, what is read, and what
                comes after it, is what the encoders' file says.
            bodies: about how many will come in all, for `auto`.

        Raises:
            CrosscaleError: when the engine's library is missing.
        """
        chosen = choose(bodies, trained.device) if engine == "auto" else engine
        self._streams: dict[str, StreamFeatures] = {}
        self.parts: dict[str, tuple[int, ...]] = {}
        for name, encoder in trained.encoders.items():
            readout = readout_of(trained, name, pooling, layers)
            shape = (2, 3, trained.preprocess.frames, len(encoder.graph.names))
            built = build(chosen, readout, torch.zeros(shape, device=trained.device))
            transform = StreamTransform(Stream.parse(name), trained.layout)
            self._streams[name] = StreamFeatures(transform, encoder, built, readout.dim)
            self.parts[name] = readout.parts

    def __call__(self, clips: ClipTensors, batch: int = AT_ONCE) -> dict[str, Tensor]:
        """Features (N, D) of each stream; zero for a clip without any body."""
        return {name: _in_batches(stream, clips, batch) for name, stream in self._streams.items()}


@dataclass(frozen=True)
class StreamFeatures:
    """From clips to the features of one stream.

    Attributes:
        transform: from joints to the stream.
        encoder: of the stream.
        engine: from bodies to their features, such as a `Readout`.
        dim: length D of these.
    """

    transform: StreamTransform
    encoder: Encoder
    engine: Engine
    dim: int

    def __call__(self, x: Tensor, body_mask: Tensor) -> Tensor:
        """(N, C, T, J, M) and (N, M) to (N, D)."""
        bodies, clip = self.encoder.present_bodies(self.transform(x), body_mask)
        features = self.engine(bodies) if len(bodies) else x.new_zeros(0, self.dim)
        return mean_over_bodies(features, clip, len(x))


def embed_stream(
    encoder: Encoder, transform: nn.Module, clips: ClipTensors, batch: int = AT_ONCE
) -> Tensor:
    """Features (N, D) of clips by an encoder in training, as evaluation would see it now.

    Clips lie on its device; its mode is left as it was.
    """
    training = encoder.training
    encoder.eval()
    found = _in_batches(lambda x, mask: encoder(transform(x), mask), clips, batch)
    encoder.train(training)
    return found


def readout_of(
    trained: TrainedEncoders,
    stream: str,
    pooling: Pooling | None = None,
    layers: Layers = 1,
    network: nn.Module | None = None,
) -> Readout:
    """What is read of a stream's encoder: as asked, or else as its file says, see `Readout`."""
    encoder, output = trained.encoders[stream], trained.output
    if pooling is not None or layers != 1 or output is None:
        return Readout(encoder, pooling, layers, network=network)
    return Readout(encoder, output.pooling, output.layers, output.by_stream[stream], network)


def prepared(
    trained: TrainedEncoders, source: CoordinateSource, rows: Sequence[int]
) -> ClipTensors:
    """The clips at `rows` of a source as the encoders expect them, on their device.

    Raises:
        CrosscaleError: when the clips cannot be brought to the encoders' layout.
    """
    clips = load(in_layout(source, trained.layout), rows, trained.preprocess)
    device = trained.device
    return ClipTensors(clips.coordinates.to(device), clips.body_mask.to(device))


@torch.inference_mode()
def _in_batches(
    compute: Callable[[Tensor, Tensor], Tensor], clips: ClipTensors, batch: int
) -> Tensor:
    parts = zip(clips.coordinates.split(batch), clips.body_mask.split(batch), strict=True)
    return torch.cat([compute(x, body_mask) for x, body_mask in parts])
