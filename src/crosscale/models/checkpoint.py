"""A run folder, and the trained encoders in it.

Everything needed to use an encoder on new recordings travels inside its file: layout,
preprocessing, streams, classes.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crosscale.encoders import described, from_description
from crosscale.encoders.base import Encoder
from crosscale.encoders.engines import Engine, EngineChoice, build, choose
from crosscale.encoders.readout import READOUTS, Readout, ReadoutName
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.published import load_whole
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import ClipTensors, Preprocess
from crosscale.utils.files import sha256
from crosscale.utils.tensors import read_safetensors, write_safetensors

FORMAT = "crosscale encoder 2"
OLD_FORMAT = "crosscale encoder 1"
ENCODER_FILE = "encoder.safetensors"


@dataclass(frozen=True)
class TrainedEncoders:
    """The encoders of a run, one a stream, and what they expect.

    Attributes:
        encoders: stream name to encoder, in evaluation mode.
        layout: of the clips.
        preprocess: from a clip to a tensor.
        classes: class names of the store it was trained on, in order.
        protocol: whose training part it saw.
        fingerprint: SHA-256 of the file.
        details: further facts: epoch, seed, store.
    """

    encoders: Mapping[str, Encoder]
    layout: Layout
    preprocess: Preprocess
    classes: tuple[str, ...]
    protocol: str
    fingerprint: str
    details: Mapping[str, Any]

    def embed(
        self, clips: ClipTensors, batch: int = 256, engine: EngineChoice = "auto"
    ) -> dict[str, Tensor]:
        """Feature vectors (N, width) of each stream, on the encoders' device.

        Args:
            clips: on the encoders' device; a clip without bodies gives zeros.
            batch: clips at once.
            engine: what computes them; see `Embedder`, which also keeps it for further clips.

        Raises:
            CrosscaleError: when the engine's library is missing.
        """
        return Embedder(self, clips, len(clips.body_mask), engine)(clips, batch)


class Embedder:
    """Embeds clips, a part at a time, with engines that are built once.

    Engines agree to about 1e-5 of the features' size.

    Attributes:
        parts: of each stream, the lengths of what is read of its blocks.
    """

    def __init__(
        self,
        trained: TrainedEncoders,
        sample: ClipTensors,
        clips: int,
        engine: EngineChoice = "auto",
        readout: ReadoutName = "mean",
    ) -> None:
        """Build an engine for each stream.

        Args:
            trained: the encoders.
            sample: some clips, on the encoders' device, which tell how many bodies a clip has.
            clips: how many will come in all.
            engine: one by name, or `auto`: PyTorch for few clips, which are done before a faster
                engine is built; else the fastest that is installed.
            readout: what is read of each encoder, see `crosscale.encoders.readout`.
        """
        self._streams = {}
        self.parts: dict[str, tuple[int, ...]] = {}
        for name, encoder in trained.encoders.items():
            transform = StreamTransform(Stream.parse(name), trained.layout)
            bodies, _ = _bodies(transform(sample.coordinates), sample.body_mask, encoder.bodies)
            expected = clips * len(bodies) // max(1, len(sample.body_mask))
            chosen = choose(expected, bodies.device) if engine == "auto" else engine
            example = bodies if len(bodies) else bodies.new_zeros(1, *bodies.shape[1:])
            fused = Readout(encoder, *READOUTS[readout])
            self.parts[name] = fused.parts
            engine_of = build(chosen, fused, example)
            self._streams[name] = (encoder.bodies, fused.dim, transform, engine_of)

    @torch.inference_mode()
    def __call__(self, clips: ClipTensors, batch: int = 256) -> dict[str, Tensor]:
        """Feature vectors (N, width) of each stream; `batch` is how many clips at once."""
        return {
            name: torch.cat(
                [
                    _embed(bodies, width, engine, transform(x), body_mask)
                    for x, body_mask in zip(
                        clips.coordinates.split(batch), clips.body_mask.split(batch), strict=True
                    )
                ]
            )
            for name, (bodies, width, transform, engine) in self._streams.items()
        }


def _embed(which: str, width: int, engine: Engine, x: Tensor, body_mask: Tensor) -> Tensor:
    """As the encoder does it: (N, C, T, V, M) to the mean over each clip's bodies."""
    bodies, owner = _bodies(x, body_mask, which)
    total = x.new_zeros(len(x), width)
    if len(bodies):
        total.index_add_(0, owner, engine(bodies))
    number = torch.bincount(owner, minlength=len(x)).clamp(min=1)
    return total / number.unsqueeze(1)


def _bodies(x: Tensor, body_mask: Tensor, which: str) -> tuple[Tensor, Tensor]:
    """The bodies (B, C, T, V) to compute of clips (N, C, T, V, M), and each one's clip."""
    if which == "all":
        body_mask = torch.ones_like(body_mask)
    owner, _ = body_mask.nonzero(as_tuple=True)
    return x.permute(0, 4, 1, 2, 3)[body_mask], owner


@torch.inference_mode()
def embed_stream(
    encoder: Encoder, transform: nn.Module, clips: ClipTensors, batch: int = 256
) -> Tensor:
    """Feature vectors (N, width) of clips, without dropout and with frozen statistics."""
    training = encoder.training
    encoder.eval()
    parts = [
        encoder(transform(x), body_mask)
        for x, body_mask in zip(
            clips.coordinates.split(batch), clips.body_mask.split(batch), strict=True
        )
    ]
    encoder.train(training)
    return torch.cat(parts)


def save_encoders(
    folder: Path,
    encoders: Mapping[str, Encoder],
    layout: Layout,
    preprocess: Preprocess,
    **details: Any,
) -> Path:
    """Write a run's encoders atomically; returns the file."""
    tensors = {
        f"{stream}/{name}": value.detach().cpu().contiguous()
        for stream, encoder in encoders.items()
        for name, value in encoder.state_dict().items()
    }
    facts = {
        "format": FORMAT,
        "streams": list(encoders),
        "encoder": described(next(iter(encoders.values()))),
        "layout": layout.to_dict(),
        "preprocess": dataclasses.asdict(preprocess),
        **details,
    }
    path = folder / ENCODER_FILE
    write_safetensors(path, tensors, facts)
    return path


def load_encoders(run: Path | str, device: str | torch.device = "cpu") -> TrainedEncoders:
    """Load a run's encoders whole, ready to embed.

    Args:
        run: a run folder, or its encoder file.
        device: where to put them.

    Raises:
        CrosscaleError: when there is none.
        BadCheckpoint: naming every missing and unexpected weight.
    """
    path = Path(run)
    path = path / ENCODER_FILE if path.is_dir() else path
    if not path.is_file():
        raise CrosscaleError(
            f"no trained encoder at {path}; is the run finished, is it the run folder?"
        )
    tensors, facts = read_safetensors(path, FORMAT, OLD_FORMAT)
    layout = Layout.from_dict(facts["layout"], origin=str(path))
    encoders = {}
    for stream in facts["streams"]:
        encoder = from_description(facts["encoder"], Stream.parse(stream).graph(layout))
        prefix = f"{stream}/"
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        load_whole(encoder, own, f"{path}, stream {stream}")
        encoders[stream] = encoder.eval().to(device)
    strays = [k for k in tensors if k.rsplit("/", 1)[0] not in encoders]
    if strays:
        raise BadCheckpoint(f"{path} holds unexpected weights: {', '.join(sorted(strays))}")
    return TrainedEncoders(
        encoders=encoders,
        layout=layout,
        preprocess=Preprocess(**facts["preprocess"]),
        classes=tuple(facts["classes"]),
        protocol=facts["protocol"],
        fingerprint=sha256(path),
        details=facts,
    )


def untrained(trained: TrainedEncoders, seed: int) -> TrainedEncoders:
    """The same encoders with fresh weights, drawn as training draws them: a floor for it."""
    torch.manual_seed(seed)
    encoders = {
        name: from_description(described(encoder), encoder.graph).eval()
        for name, encoder in trained.encoders.items()
    }
    return dataclasses.replace(trained, encoders=encoders, fingerprint=f"untrained {seed}")
