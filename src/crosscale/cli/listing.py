"""`crosscale list`: what can be named in commands, recipes and settings."""

import re
from collections.abc import Callable, Iterable
from importlib import resources
from importlib.util import find_spec
from inspect import getdoc
from pathlib import Path
from typing import Any, Literal, NamedTuple

from docstring_parser import parse as parse_docstring

from crosscale.cli.console import plain_console, plain_table
from crosscale.utils.plugins import load_object

BUILT_IN = "built in"
# Registries, by what they hold: each gives import paths by name.
REGISTRIES = {
    "augmentations": "crosscale.augment.compose:AUGMENTATIONS.paths",
    "encoders": "crosscale.encoders:ENCODERS.paths",
    "objectives": "crosscale.objectives:OBJECTIVES.paths",
    "optimisers": "crosscale.training.optim:OPTIMISERS.paths",
    "probes": "crosscale.evaluation.probes:PROBES.paths",
    "readers": "crosscale.readers:known_readers",
    "schedules": "crosscale.training.optim:SCHEDULES.paths",
    "sources": "crosscale.training.sources:SOURCES.paths",
}
Kind = Literal[
    "augmentations",
    "encoders",
    "engines",
    "layouts",
    "objectives",
    "optimisers",
    "probes",
    "readers",
    "recipes",
    "schedules",
    "sources",
]


class Entry(NamedTuple):
    """One thing that can be named."""

    name: str
    about: str
    origin: str = BUILT_IN


def list_kind(kind: Kind) -> list[Entry]:
    """List what can be chosen by name, each with what it is and where it is from.

        crosscale list readers

    What other installed packages add is listed too, with the package's name.

    Args:
        kind: what to list.

    Returns:
        The entries, as printed.
    """
    found = entries(kind)
    rows = [(entry.name, entry.about.removesuffix("."), entry.origin) for entry in found]
    table = plain_table(["name", "what it is", "from"], rows)
    table.columns[0].no_wrap = True
    plain_console().print(table)
    return found


def entries(kind: str) -> list[Entry]:
    """All of one kind; of registered things, nothing is imported."""
    found = [*_OTHERS[kind]()] if kind in _OTHERS else []
    return [*found, *_registered(load_object(REGISTRIES[kind]))] if kind in REGISTRIES else found


def _registered(paths: Callable[[], dict[str, str]]) -> Iterable[Entry]:
    for name, path in paths().items():
        package = path.partition(":")[0].partition(".")[0]
        yield Entry(name, _about(path), BUILT_IN if package == "crosscale" else package)


def _about(path: str) -> str:
    """The first line of an object's docstring, without importing its module if that can be."""
    module, _, name = path.partition(":")
    spec = find_spec(module)
    if spec is not None and spec.origin is not None:
        text = Path(spec.origin).read_text(encoding="utf-8")
        begin = rf'^(?:class|def) {re.escape(name)}\b[^"]*"""(.*?)(?:"""|$)'
        if found := re.search(begin, text, re.DOTALL | re.MULTILINE):
            return found[1]
    return (getdoc(load_object(path)) or "").partition("\n")[0]


def _recipes() -> Iterable[Entry]:
    from crosscale.training.recipe import recipe_names

    folder = resources.files("crosscale") / "recipes"
    for name in recipe_names():
        data, method = name.split("/")
        about = _comment(folder / "data" / f"{data}.yaml").partition(":")[0]
        yield Entry(name, f"{about}; {_comment(folder / 'method' / f'{method}.yaml')}")


def _layouts() -> Iterable[Entry]:
    from crosscale.skeleton.layout import builtin_layouts

    folder = resources.files("crosscale.skeleton") / "layouts"
    return [Entry(name, _comment(folder / f"{name}.yaml")) for name in builtin_layouts()]


def _augmentations() -> Iterable[Entry]:
    """Those of this package, which settings have by name."""
    from crosscale.augment.compose import AugmentSettings

    for field in parse_docstring(AugmentSettings.__doc__ or "").params:
        if field.arg_name != "further":
            yield Entry(field.arg_name, " ".join((field.description or "").split()))


def _engines() -> Iterable[Entry]:
    from crosscale.encoders.engines import BUILDERS, LIBRARIES, available

    for name, build in BUILDERS.items():
        about = (getdoc(build) or "").partition("\n")[0].removesuffix(".")
        lacking = "" if name in available() else f"; pip install 'crosscale[{LIBRARIES[name][1]}]'"
        yield Entry(name, about + lacking)


def _comment(file: Any) -> str:
    """The first sentence of the comment with which a YAML file begins."""
    lines = file.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines[:3] if line.startswith("#"))
    return comment.partition(". ")[0].rstrip(".")


_OTHERS: dict[str, Callable[[], Iterable[Entry]]] = {
    "augmentations": _augmentations,
    "recipes": _recipes,
    "layouts": _layouts,
    "engines": _engines,
}
