"""Networks that turn bodies into features: the contract is in `base`, one file an encoder."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from crosscale.config import built, current
from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Graph
from crosscale.utils.registry import Registry

ENCODERS = Registry("encoder", "crosscale.encoders", package="crosscale.encoders", base="Encoder")


def create_encoder(name: str, graph: Graph, **settings: Any) -> Encoder:
    """An encoder with fresh weights.

    Args:
        name: of a registered encoder, or an import path such as `my_file:MyEncoder`.
        graph: what it sees, such as `Layout.load("ntu25").scale("joints")`.
        settings: fields of the encoder's `Settings`.

    Raises:
        CrosscaleError: when there is no such encoder or setting.
    """
    kind = ENCODERS.load(name)
    return kind(graph, built(kind.Settings, settings))


def described(encoder: Encoder) -> dict[str, Any]:
    """An encoder's name and settings, as files keep them."""
    return {"name": ENCODERS.name_of(type(encoder)), **dataclasses.asdict(encoder.settings)}


def from_description(description: Mapping[str, Any], graph: Graph) -> Encoder:
    """An encoder with fresh weights, of the name and settings that a file keeps.

    Files of 0.1 have no name, and some of their settings were called otherwise. An encoder of
    one's own is found by its module's name; nothing but an encoder is made, whoever wrote the file.

    Raises:
        CrosscaleError: when there is no such encoder here, or it has other settings.
    """
    values, _ = current({f"encoder.{name}": value for name, value in description.items()})
    settings = {name.removeprefix("encoder."): value for name, value in values.items()}
    name = settings.pop("name", "stgcn")
    if name.partition(":")[0].endswith(".py"):
        raise CrosscaleError(f"encoder {name} names a file, where a module's name belongs")
    kind = ENCODERS.load(name)
    try:
        made: Encoder = kind(graph, kind.Settings(**settings))
    except TypeError as error:
        raise CrosscaleError(f"encoder {name} does not fit its settings: {error}") from error
    return made
