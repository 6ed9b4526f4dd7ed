"""Checkpoint files of the published repositories (SkeletonCLR, CrosSCLR, AimCLR), both ways.

They hold one dictionary of weights: `encoder_q.*` of the joint stream, `encoder_q_motion.*` and
`encoder_q_bone.*` of the others, each with its momentum copy `encoder_k…`, its queues, and the head
of its encoder as `fc`. Streams that those repositories lack are written in the same way: the motion
of bones as `encoder_q_bone_motion.*`, joints at a coarser scale as `encoder_q_joint_part10.*`.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from crosscale.data.splits import ALL, protocols, split
from crosscale.data.store import ClipStore
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.checkpoint import TrainedEncoders, save_encoders
from crosscale.models.published import check_whole, from_published, load_whole, to_published
from crosscale.skeleton.layout import JOINT_SCALE, Layout
from crosscale.transforms.modality import Modality, Stream
from crosscale.transforms.preprocess import Preprocess
from crosscale.utils.files import atomic_folder, atomic_path
from crosscale.utils.text import listed

QUERY = "encoder_q"
_ENCODER = re.compile(rf"{QUERY}(?:_(?P<stream>\w+))?\.(?P<weight>.+)")
_OF_TRAINING = re.compile(r"(encoder_k|queue)\w*(\..+)?")
_FIRST, _LAST = "st_gcn_networks.0.tcn.0.weight", "st_gcn_networks.9.tcn.0.weight"


@dataclass(frozen=True)
class Checkpoint:
    """What a published file holds.

    Attributes:
        encoders: by stream, the query encoder's weights under published names, without its head.
        left_out: names of what only training needs: momentum encoders, queues, heads.
    """

    encoders: Mapping[str, Mapping[str, Tensor]]
    left_out: tuple[str, ...]


def write_published(trained: TrainedEncoders, path: Path) -> None:
    """Write a run's encoders under the published names.

    The encoder of a single stream is `encoder_q`, whatever the stream, as the published programs
    of one stream expect it.

    Raises:
        CrosscaleError: when the encoders have an output layer.
        BadCheckpoint: when they are none that the published code knows.
    """
    if trained.output is not None:
        raise CrosscaleError("the published code has no output layer, which these encoders have")
    single = len(trained.encoders) == 1
    weights = {
        f"{QUERY if single else _prefix(stream)}.{name}": value.contiguous().clone()
        for stream, encoder in trained.encoders.items()
        for name, value in to_published(encoder.state_dict()).items()
    }
    with atomic_path(path) as temporary:
        torch.save(weights, temporary)


def read_published(path: Path, stream: str = "joint") -> Checkpoint:
    """Read a published file; nothing in it is run.

    Args:
        path: a file of `torch.save`.
        stream: which one `encoder_q` is; files of one stream do not say.

    Raises:
        CrosscaleError: when there is no file.
        BadCheckpoint: when it is damaged, holds more than tensors, no encoder, or names that the
            published code does not have.
    """
    encoders: dict[str, dict[str, Tensor]] = defaultdict(dict)
    left_out, unexpected = [], []
    for name, value in _tensors(path).items():
        found = _ENCODER.fullmatch(name.removeprefix("module."))
        if found and not found["weight"].startswith("fc."):
            encoders[_stream(found["stream"], stream)][found["weight"]] = value
        elif found or _OF_TRAINING.fullmatch(name.removeprefix("module.")):
            left_out.append(name)
        else:
            unexpected.append(name)
    if unexpected or not encoders:
        told = f"{len(unexpected)} unexpected: {listed(sorted(unexpected), 3)}"
        hint = "" if encoders else f"; it holds no weights {QUERY}.*"
        begun = {name[: name.index(QUERY)] for name in unexpected if QUERY in name}
        if len(begun) == 1 and all(name.startswith(tuple(begun)) for name in unexpected):
            hint = f"; its names would fit without '{begun.pop()}' before them"
        raise BadCheckpoint(
            f"{path} is not a published checkpoint; {told if unexpected else 'it is empty'}{hint}"
        )
    return Checkpoint(dict(encoders), tuple(left_out))


def import_checkpoint(
    checkpoint: Checkpoint,
    origin: Path,
    out: Path,
    data: ClipStore | Layout,
    protocol: str | None,
    preprocess: Preprocess,
    settings: EncoderSettings,
) -> Path:
    """Make a run folder of it.

    Args:
        checkpoint: what was read.
        origin: the file, for messages and as a fact of the run.
        out: the folder to make.
        data: the store on whose training part it was trained; or only its layout, when the data is
            not at hand.
        protocol: which training part; by default the store's first protocol, or all of it.
        preprocess: what its encoders expect.
        settings: of the encoders; `hidden` and `width` are taken from the file.

    Raises:
        CrosscaleError: when `out` exists, or the store has no such protocol.
        BadCheckpoint: as `check_whole`.
    """
    layout = data if isinstance(data, Layout) else data.layout
    encoders = {
        name: _encoder(weights, Stream.parse(name), layout, settings, origin)
        for name, weights in checkpoint.encoders.items()
    }
    with atomic_folder(out) as folder:
        save_encoders(
            folder,
            encoders,
            layout,
            preprocess,
            **_facts(data, protocol),
            epoch="unknown",
            seed="unknown",
            published=origin.name,
        )
    return out


def _facts(data: ClipStore | Layout, protocol: str | None) -> dict[str, Any]:
    if isinstance(data, Layout):
        return {"classes": [], "protocol": "", "store": "unknown"}
    return {
        "classes": list(data.classes),
        "protocol": split(data, protocol or next(iter(protocols(data)), ALL)).name,
        "store": data.name,
        "data": data.path,
    }


def _encoder(
    weights: Mapping[str, Tensor],
    stream: Stream,
    layout: Layout,
    settings: EncoderSettings,
    origin: Path,
) -> STGCN:
    encoder = STGCN(stream.graph(layout), _sized(settings, weights))
    told = f"{origin}, stream {stream} on layout {layout.name},"
    check_whole(to_published(encoder.state_dict()), weights, told)
    load_whole(encoder, from_published(dict(weights)), told)
    return encoder


def _sized(settings: EncoderSettings, weights: Mapping[str, Tensor]) -> EncoderSettings:
    """As large as the weights say; where they do not, comparing names tells what is missing."""
    first, last = weights.get(_FIRST), weights.get(_LAST)
    return replace(
        settings,
        hidden=settings.hidden if first is None else first.numel(),
        width=settings.width if last is None else last.numel(),
    )


def _prefix(stream: str) -> str:
    """`encoder_q` of joints, else e.g. `encoder_q_motion` or `encoder_q_joint_part10`."""
    parsed = Stream.parse(stream)
    if parsed == Stream("joint"):
        return QUERY
    scale = "" if parsed.scale == JOINT_SCALE else f"_{parsed.scale}"
    return f"{QUERY}_{parsed.modality}{scale}"


def _stream(suffix: str | None, first: str) -> str:
    """The inverse of `_prefix`; `first` is what `encoder_q` stands for."""
    if suffix is None:
        return str(Stream.parse(first))
    fitting = [m for m in get_args(Modality) if f"{suffix}_".startswith(f"{m}_")]
    modality = max(fitting, key=len, default=suffix)  # bone_motion also begins as bone does
    scale = suffix.removeprefix(modality).removeprefix("_")
    return str(Stream.parse(f"{modality}@{scale}" if scale else modality))


def _tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CrosscaleError(f"no checkpoint at {path}: name a .pt file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch remarks on pickles of other versions
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in many ways
        reason = str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise BadCheckpoint(
            f"{path} is not a whole file of tensors, nothing in it was run: {reason:.120}"
        ) from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and torch.is_tensor(value) for name, value in found.items()
    ):
        raise BadCheckpoint(f"{path} holds something other than a dictionary of tensors")
    return found
