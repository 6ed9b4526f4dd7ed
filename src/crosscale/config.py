"""Settings: dataclasses built from plain values, each checked against its type."""

import dataclasses
import json
from argparse import ArgumentError
from collections.abc import Mapping
from typing import Any, TypeVar

from jsonargparse import ArgumentParser

from crosscale.errors import CrosscaleError

T = TypeVar("T")


def built(kind: type[T], values: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> T:
    """A settings dataclass from values by dotted name.

    Args:
        kind: the dataclass; its parts are built too.
        values: what is set; names must be those of `flat_keys`.
        defaults: in place of the dataclass's own.

    Raises:
        CrosscaleError: naming the setting whose value is of a wrong type.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, as_group=False)
    parser.set_defaults(dict(defaults or {}))
    try:
        found = parser.instantiate(parser.parse_object(dict(values)))
    except ArgumentError as error:
        text = " ".join(str(error).split())
        raise CrosscaleError(text.replace("Parser key", "option")) from error
    return kind(**vars(found))


def flat_keys(kind: type, prefix: str = "") -> list[str]:
    """Every setting of a dataclass as a dotted name."""
    keys = []
    for entry in dataclasses.fields(kind):
        if isinstance(entry.type, type) and dataclasses.is_dataclass(entry.type):
            keys += flat_keys(entry.type, f"{prefix}{entry.name}.")
        else:
            keys.append(prefix + entry.name)
    return keys


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def plain(value: Any) -> Any:
    """A value as files keep it, so that it can be compared with one that was read."""
    return json.loads(json.dumps(value))
