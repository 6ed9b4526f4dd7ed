"""A run folder, and the trained encoders in it.

Everything needed to use an encoder on new recordings travels inside its file: layout,
preprocessing, streams, classes. Where its data lay on this machine does not: that is in a file of
its own, which stays when the encoder is shared.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crosscale.encoders import described, from_description
from crosscale.encoders.base import Encoder, Pooling
from crosscale.encoders.readout import Layers, OutputLayer, Readout
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.published import load_whole
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import Preprocess
from crosscale.utils.files import atomic_path, sha256
from crosscale.utils.tensors import read_safetensors, write_safetensors
from crosscale.utils.text import listed

FORMAT = "crosscale encoder 2"
OLD_FORMAT = "crosscale encoder 1"
ENCODER_FILE = "encoder.safetensors"
DATA_FILE = "data.json"
DATA_FORMAT = "crosscale data 1"
OUTPUT = "output"  # before the names of an output layer's tensors; no stream is called so
OLD_DATA = "store_path"  # what files of 0.1 called the store's path, which was inside them


@dataclass(frozen=True)
class Output:
    """Fixed linear layers that were fitted to encoders after training.

    Attributes:
        pooling: how each layer of an encoder is pooled, see `Readout`.
        layers: how many of the last ones are read.
        by_stream: what comes after it.
    """

    pooling: Pooling
    layers: Layers
    by_stream: Mapping[str, OutputLayer]

    def check(self, encoders: Mapping[str, Encoder]) -> None:
        """Refuse encoders that it does not fit.

        Raises:
            CrosscaleError: when a stream has no layer, or one over another number of features.
        """
        if self.by_stream.keys() != encoders.keys():
            raise CrosscaleError(
                f"output layers of {', '.join(self.by_stream)} do not fit encoders of "
                f"{', '.join(encoders)}"
            )
        for stream, encoder in encoders.items():
            Readout(encoder, self.pooling, self.layers, self.by_stream[stream], network=encoder)


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
        data: the store that it was trained on, as far as this machine knows.
        output: what is read of the encoders and comes after them; by default the mean over time and
            nodes of the last layer as it is.
    """

    encoders: Mapping[str, Encoder]
    layout: Layout
    preprocess: Preprocess
    classes: tuple[str, ...]
    protocol: str
    fingerprint: str
    details: Mapping[str, Any]
    data: Path | None = None
    output: Output | None = None

    @property
    def dims(self) -> dict[str, int]:
        """Numbers that each stream gives of a clip."""
        if self.output is not None:
            return {stream: layer.dim for stream, layer in self.output.by_stream.items()}
        return {stream: encoder.dim for stream, encoder in self.encoders.items()}

    @property
    def device(self) -> torch.device:
        """Where the encoders are."""
        tensors = (t for e in self.encoders.values() for t in (*e.parameters(), *e.buffers()))
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    @property
    def store_path(self) -> Path:
        """The store that it was trained on.

        Raises:
            CrosscaleError: when this machine knows of none.
        """
        if self.data is None:
            raise CrosscaleError(
                "where the data of these encoders lies is not known here: name a store with --data"
            )
        return self.data


def save_encoders(
    folder: Path,
    encoders: Mapping[str, Encoder],
    layout: Layout,
    preprocess: Preprocess,
    *,
    data: Path | None = None,
    output: Output | None = None,
    half: bool = False,
    **details: Any,
) -> Path:
    """Write a run's encoders, each file whole or not at all.

    Args:
        folder: the run folder.
        encoders: by stream, all of one kind and with the same settings.
        layout: of the clips.
        preprocess: from a clip to a tensor.
        data: the store that they were trained on, noted beside them.
        output: layers that were fitted to them, if any.
        half: round weights to half precision, as those of output layers always are: half the size,
            and embeddings that differ by about a thousandth.
        details: further facts that go into the file: classes, protocol, store, epoch, seed.

    Returns:
        The encoder file.
    """
    modules: dict[str, nn.Module] = dict(encoders)
    if output is not None:
        modules |= {f"{OUTPUT}/{stream}": layer for stream, layer in output.by_stream.items()}
        details["readout"] = {"pooling": output.pooling, "layers": output.layers}
    tensors = {
        f"{part}/{name}": value.detach().cpu().contiguous()
        for part, module in modules.items()
        for name, value in module.state_dict().items()
    }
    for name, value in tensors.items():
        axes = name.startswith(f"{OUTPUT}/") and name.endswith("/axes")
        if axes or (half and value.is_floating_point()):
            tensors[name] = value.half()
    facts = {
        "format": FORMAT,
        "streams": list(encoders),
        "encoder": described(next(iter(encoders.values()))),
        "layout": layout.to_dict(),
        "preprocess": dataclasses.asdict(preprocess),
        **details,
    }
    if data is not None:  # first: a run that has its encoder file is taken for finished
        note = {"format": DATA_FORMAT, "store": str(data.resolve())}
        with atomic_path(folder / DATA_FILE) as temporary:
            temporary.write_text(json.dumps(note) + "\n", encoding="utf-8")
    path = folder / ENCODER_FILE
    write_safetensors(path, tensors, facts)
    return path


def rewritten(trained: TrainedEncoders, folder: Path, half: bool = False) -> Path:
    """Write encoders that were loaded, or changed since, as a file of today's format.

    `half` rounds their weights, see `save_encoders`.

    Returns:
        The encoder file, which names no place on this machine.
    """
    own = {"format", "streams", "encoder", "layout", "preprocess", "readout", OLD_DATA}
    details = {name: value for name, value in trained.details.items() if name not in own}
    return save_encoders(
        folder,
        trained.encoders,
        trained.layout,
        trained.preprocess,
        output=trained.output,
        half=half,
        **details,
    )


def with_output(
    trained: TrainedEncoders,
    by_stream: Mapping[str, OutputLayer],
    pooling: Pooling = "mean",
    layers: Layers = 1,
) -> TrainedEncoders:
    """Encoders with layers that were fitted to what is read of them; `rewritten` saves them.

    Args:
        trained: the encoders; layers that they had are replaced.
        by_stream: a layer for each stream.
        pooling: how each layer of an encoder is pooled, see `Readout`.
        layers: how many of the last ones are read.

    Raises:
        CrosscaleError: when a stream has no layer, or one over another number of features.
    """
    output = Output(pooling, layers, dict(by_stream))
    output.check(trained.encoders)
    digest = hashlib.sha256(f"{trained.fingerprint} {pooling} {layers}".encode())
    for layer in by_stream.values():
        for tensor in (layer.mean, layer.axes):
            digest.update(tensor.cpu().numpy().tobytes())
    return dataclasses.replace(trained, output=output, fingerprint=digest.hexdigest())


def load_encoders(run: Path | str, device: str | torch.device = "cpu") -> TrainedEncoders:
    """Load a run's encoders whole, ready to embed.

    Args:
        run: a run folder, or its encoder file.
        device: where to put them.

    Raises:
        CrosscaleError: when there is none.
        BadCheckpoint: when weights are missing or unexpected.
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
        load_whole(encoder, _taken(tensors, f"{stream}/"), f"{path}, stream {stream}")
        encoders[stream] = encoder.eval().to(device)
    output = None
    if "readout" in facts:
        output = Output(**facts["readout"], by_stream=_output_layers(tensors, facts, path, device))
        output.check(encoders)
    if tensors:
        raise BadCheckpoint(f"{path} holds unexpected weights: {listed(sorted(tensors))}")
    return TrainedEncoders(
        encoders=encoders,
        layout=layout,
        preprocess=Preprocess(**facts["preprocess"]),
        classes=tuple(facts["classes"]),
        protocol=facts["protocol"],
        fingerprint=sha256(path),
        details=facts,
        data=_data_of(path, facts),
        output=output,
    )


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that, which are taken out of all."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name) for name in names}


def _output_layers(
    tensors: dict[str, Tensor], facts: Mapping[str, Any], path: Path, device: str | torch.device
) -> dict[str, OutputLayer]:
    layers = {}
    for stream in facts["streams"]:
        own = _taken(tensors, f"{OUTPUT}/{stream}/")
        if own.keys() != {"mean", "axes"}:
            raise BadCheckpoint(f"{path} has no whole output layer of stream {stream}")
        layers[stream] = OutputLayer(own["mean"], own["axes"]).to(device)
    return layers


def _data_of(path: Path, facts: Mapping[str, Any]) -> Path | None:
    """The store noted beside an encoder file, or inside one of 0.1."""
    try:
        note = json.loads((path.parent / DATA_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        note = None
    if isinstance(note, dict) and note.get("format") == DATA_FORMAT:
        return Path(str(note["store"]))
    return Path(facts[OLD_DATA]) if facts.get(OLD_DATA) else None


def untrained(trained: TrainedEncoders, seed: int) -> TrainedEncoders:
    """The same encoders with fresh weights, drawn as training draws them: a floor for it."""
    torch.manual_seed(seed)
    device = trained.device
    encoders = {
        name: from_description(described(encoder), encoder.graph).eval().to(device)
        for name, encoder in trained.encoders.items()
    }
    blank = f"untrained {seed}"
    return dataclasses.replace(trained, encoders=encoders, fingerprint=blank, output=None)
