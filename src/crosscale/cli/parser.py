"""A parser that answers a mistyped option with the nearest right one."""

import re
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, NoReturn

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, DefaultHelpFormatter

from crosscale.errors import CrosscaleError, nearest

_UNKNOWN = re.compile(r"(?:[Uu]nrecognized arguments?:|Key|Option) *['\"]?--?([\w.\-]+)")


class _Help(DefaultHelpFormatter):
    """Fills paragraphs, and keeps indented lines, examples to paste, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part if part.startswith("    ") else super(_Help, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )


class CrosscaleParser(ArgumentParser):
    """Raises CrosscaleError in place of ending the process."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        # An abbreviation would let a mistyped setting pass as another one.
        super().__init__(*arguments, allow_abbrev=False, formatter_class=_Help, **settings)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong in one line, with the nearest right option."""
        text = " ".join(str(message or ex).replace("Parser key", "option").split())
        unknown = _UNKNOWN.search(text)
        if unknown:
            options = [name for name in _options(self) if name]
            text = f"unknown option --{unknown[1]}: {nearest(unknown[1], options)}"
        raise CrosscaleError(f"{text} (see {self.prog} --help)")


def add_function(parser: ArgumentParser, function: Callable[..., Any], *skip: str) -> None:
    """Add a function's parameters: those with defaults as options, switches without a value.

    A `list[Path]` takes one or more values, a `list[str]` any number of them; both come last.
    """
    parameters = signature(function).parameters
    switches = [name for name, p in parameters.items() if p.default is False]
    several = {
        name: p.annotation
        for name, p in parameters.items()
        if p.annotation in (list[Path], list[str])
    }
    helps = {p.arg_name: p.description for p in parse_docstring(function.__doc__ or "").params}
    parser.add_function_arguments(
        function, as_group=False, as_positional=True, skip={*skip, *switches, *several}
    )
    for name, kind in several.items():
        if kind == list[Path]:
            parser.add_argument(name, type=Path, nargs="+", help=helps[name])
        else:
            parser.add_argument(name, type=str, nargs="*", help=helps[name])
    for name in switches:
        parser.add_argument(f"--{name}", action="store_true", help=helps[name])


def _options(parser: Any) -> list[str]:
    names = []
    for action in parser._actions:
        names += [option.lstrip("-") for option in action.option_strings]
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                names += _options(child)
    return sorted(set(names))
