"""A parser that answers a mistyped option with the nearest right one."""

import re
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from crosscale.errors import CrosscaleError
from crosscale.recipe import nearest

_UNKNOWN = re.compile(r"(?:[Uu]nrecognized arguments?:|Key|Option) *['\"]?--?([\w.\-]+)")


class CrosscaleParser(ArgumentParser):
    """Raises CrosscaleError in place of ending the process."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        # An abbreviation would let a mistyped setting pass as another one.
        super().__init__(*arguments, allow_abbrev=False, **settings)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong in one line, with the nearest right option."""
        text = str(message).splitlines()[0] if message else str(ex)
        unknown = _UNKNOWN.search(text)
        if unknown:
            options = [name for name in _options(self) if name]
            text = f"unknown option --{unknown[1]}: {nearest(unknown[1], options)}"
        raise CrosscaleError(f"{text} (see {self.prog} --help)")


def _options(parser: Any) -> list[str]:
    names = []
    for action in parser._actions:
        names += [option.lstrip("-") for option in action.option_strings]
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                names += _options(child)
    return sorted(set(names))
