"""A run folder, and the trained encoders in it.

Everything needed to use an encoder on new recordings travels inside its file: layout,
preprocessing, streams, classes. Where its data lay on this machine does not: that is in a file of
its own, which stays when the encoder is shared.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from crosscale.encoders import described, from_description
from crosscale.encoders.base import Encoder
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.published import load_whole
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import Preprocess
from crosscale.utils.files import atomic_path, sha256
from crosscale.utils.tensors import read_safetensors, write_safetensors

FORMAT = "crosscale encoder 2"
OLD_FORMAT = "crosscale encoder 1"
ENCODER_FILE = "encoder.safetensors"
DATA_FILE = "data.json"
DATA_FORMAT = "crosscale data 1"
OLD_DATA = "store_path"  # what files of 0.1 called the store's path, which was inside them


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
    """

    encoders: Mapping[str, Encoder]
    layout: Layout
    preprocess: Preprocess
    classes: tuple[str, ...]
    protocol: str
    fingerprint: str
    details: Mapping[str, Any]
    data: Path | None = None

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
    **details: Any,
) -> Path:
    """Write a run's encoders, each file whole or not at all.

    Args:
        folder: the run folder.
        encoders: by stream, all of one kind and with the same settings.
        layout: of the clips.
        preprocess: from a clip to a tensor.
        data: the store that they were trained on, noted beside them.
        details: further facts that go into the file: classes, protocol, store, epoch, seed.

    Returns:
        The encoder file.
    """
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
    if data is not None:
        note = {"format": DATA_FORMAT, "store": str(data.resolve())}
        with atomic_path(folder / DATA_FILE) as temporary:
            temporary.write_text(json.dumps(note) + "\n", encoding="utf-8")
    return path


def rewritten(trained: TrainedEncoders, folder: Path) -> Path:
    """Write encoders that were loaded, or changed since, as a file of today's format.

    Returns:
        The encoder file, which names no place on this machine.
    """
    own = {"format", "streams", "encoder", "layout", "preprocess", OLD_DATA}
    details = {name: value for name, value in trained.details.items() if name not in own}
    return save_encoders(folder, trained.encoders, trained.layout, trained.preprocess, **details)


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
        data=_data_of(path, facts),
    )


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
    return dataclasses.replace(trained, encoders=encoders, fingerprint=f"untrained {seed}")
