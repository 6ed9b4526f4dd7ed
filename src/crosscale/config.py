"""Settings: dataclasses built from plain values, each checked against its type."""

import dataclasses
import json
from argparse import ArgumentError
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from crosscale.errors import CrosscaleError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

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
    parser = _parser(cast(Any, kind))
    try:
        found = parser.instantiate(parser.parse_object({**(defaults or {}), **values}))
    except ArgumentError as error:
        text = " ".join(str(error).split())
        raise CrosscaleError(text.replace("Parser key", "option")) from error
    return kind(**vars(found))


@cache
def _parser(kind: Any) -> "ArgumentParser":
    """Reads the settings of a dataclass; making it takes as long as reading them."""
    from jsonargparse import ArgumentParser  # which loading an encoder can do without

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, as_group=False)
    return parser


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


# What settings were called in 0.1, by dotted name; a group stands for all of its settings.
RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "views": "augment",
        "extreme": "objective.extreme",
        "contrast": "objective",
        "contrast.streams": "streams",
        "contrast.features": "objective.dim",
        "contrast.cross_from": "objective.mining_start",
        "contrast.top": "objective.topk",
        "contrast.extreme": "objective.extreme_weight",
        "contrast.own_past": "objective.same_clip_keys",
        "contrast.form": "objective.loss",
        "contrast.total": "objective.reduction",
        "contrast.key_start": "objective.key_init",
        "encoder.start": "encoder.init",
        "optimisation": "training",
        "optimisation.batch": "training.batch_size",
        "optimisation.learning_rate": "optimiser.lr",
        "optimisation.momentum": "optimiser.momentum",
        "optimisation.weight_decay": "optimiser.weight_decay",
        "optimisation.schedule": "schedule.name",
        "optimisation.milestones": "schedule.milestones",
        "optimisation.warmup": "training.warmup",
    }
)
# YAML takes the word `true` for a truth value, so the choice has another name now.
_REVALUED: Mapping[tuple[str, Any], Any] = MappingProxyType(
    {("encoder.hops", True): "exact", ("encoder.hops", "true"): "exact"}
)


def current_name(name: str) -> str:
    """What a setting is called now, of whatever version its dotted name is."""
    group = name
    while group:
        if group in RENAMED:
            return RENAMED[group] + name[len(group) :]
        group = group.rpartition(".")[0]
    return name


def current(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings by the names of now, and which were called otherwise: old name to new.

    Args:
        values: by dotted name, of whatever version.
    """
    names = {name: current_name(name) for name in values}
    found = {
        names[name]: _REVALUED.get((names[name], value), value)
        if isinstance(value, str | bool)
        else value
        for name, value in values.items()
    }
    return found, {old: new for old, new in names.items() if old != new}
