"""The parser of a command: its function's arguments as options, and faults told in one line."""

import re
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, NoReturn

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from crosscale.cli.help import choices_of, command_help, kebab, shown_option, value_word
from crosscale.errors import CrosscaleError, nearest

_UNKNOWN = re.compile(r"(?:[Uu]nrecognized arguments?:|Key|Option) *['\"]?--?([\w.\-]+)")
_REFUSED = re.compile(r"(?:option|Parser key) \"([\w.]+)\": .*(?:Got|Given) value: (.*)$")
_UNREAD = re.compile(r"(?:option|Parser key) \"([\w.]+)\": Unable to load config '(.*?)'")
_MISSING = re.compile(r"the following arguments are required: (.*)$")
_VALUELESS = re.compile(r"argument (\S+): expected .*argument")
# What arguments of several commands are for, where a command does not say it itself.
SHARED = {
    "run": "a run folder made by `crosscale pretrain`, its encoder file, body (the encoder that "
    "comes with crosscale), or user/model on the Hugging Face hub.",
    "store": "a store made by `crosscale prepare`.",
    "device": "cpu or cuda.",
    "engine": "what computes; the others take seconds to build and are faster on thousands of "
    "clips.",
    "false_rejection": "share of clips of the known classes that may be called none of these.",
    "runner": "where clips are embedded: here by one process, ray by PyTorch on all machines of a "
    "Ray cluster (RAY_ADDRESS), or on all cores here.",
    "workers": "processes at most; by default one for each core.",
    "license": "under which others may use it, as the hub writes licences, e.g. mit.",
    "overwrite": "replace what is there.",
}
_IN_WORDS = {"N": "a whole number", "X": "a number"}


class CrosscaleParser(ArgumentParser):
    """Raises CrosscaleError in place of ending the process.

    Args:
        command: its name, for example `evaluate linear`.
        description: what it does, with an example.
        often: settings, by dotted name, that the short help explains too; it leaves out all
            others of a group.
        rare: options that the short help leaves out as well.
    """

    def __init__(
        self,
        command: str,
        description: str = "",
        often: Sequence[str] = (),
        rare: Sequence[str] = (),
    ) -> None:
        # An abbreviation would let a mistyped setting pass as another one.
        super().__init__(
            prog=f"crosscale {command}",
            description=description,
            allow_abbrev=False,
            add_help=False,
        )
        self._positionals.title = "arguments"
        self._often, self._rare = often, rare

    def told(self, *, everything: bool = False) -> str:
        """The help; short, or with every setting."""
        return command_help(self, self._often, self._rare, everything=everything)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong in one line, with the nearest right option."""
        text = " ".join(str(message or ex).split())
        if unknown := _UNKNOWN.search(text):
            raise CrosscaleError(self._unknown(unknown[1]))
        if refused := _REFUSED.search(text):
            text = self._refused(*refused.groups())
        elif unread := _UNREAD.search(text):
            text = f"--{unread[1]} takes a YAML file of its settings, not '{unread[2]}'"
        elif missing := _MISSING.search(text):
            text = f"{self._missing(missing[1].split(', '))} must be given"
        elif valueless := _VALUELESS.search(text):
            text = f"{kebab(valueless[1])} needs a value"
        else:
            text = text.replace("Parser key", "option").replace("unrecognized", "too many")
        raise CrosscaleError(f"{text} (see {self.prog} --help)")

    def _unknown(self, name: str) -> str:
        options = [shown_option(one)[2:] for one in self._actions if one.option_strings]
        hint = nearest(kebab(name), options, f"{self.prog} --help")
        hint = re.sub(r"'([^' ]+)'", r"'--\1'", hint)
        return f"unknown option --{kebab(name)}: {hint}"

    def _refused(self, name: str, value: str) -> str:
        action = self._action(name)
        if action is None:
            return f"{name} cannot be '{value}'"
        if choices := choices_of(action):
            hint = nearest(value, choices)
            if hint.startswith("there are"):
                hint = f"there are {', '.join(choices)}"
            if number := _IN_WORDS.get(value_word(action).partition("|")[0]):  # `N|all`
                hint = f"there are {number} or {', '.join(choices)}"
            return f"{_shown(action)} takes no '{value}': {hint}"
        word = value_word(action)
        if word.startswith("[") and action.option_strings:
            usual = [*action.default] if isinstance(action.default, list | tuple) else []
            told = ",".join(map(str, usual or [value]))
            return f"{_shown(action)} takes a list, such as '[{told}]', not '{value}'"
        return f"{_shown(action)} takes {_IN_WORDS.get(word, word)}, not '{value}'"

    def _missing(self, names: Sequence[str]) -> str:
        shown = [_shown(self._action(name)) or name for name in names]
        action = self._action(names[0])
        if len(names) == 1 and action and (choices := choices_of(action)):
            return f"{shown[0]}, one of {', '.join(choices)},"
        return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)

    def _action(self, name: str) -> Any:
        return next((one for one in self._actions if one.dest == name), None)


def add_function(parser: ArgumentParser, function: Callable[..., Any], *skip: str) -> None:
    """Add a function's parameters: those with defaults as options, switches without a value.

    A `list[Path]` takes one or more values, a `list[str]` any number of them; both come last.
    """
    parameters = signature(function).parameters
    switches = [name for name, p in parameters.items() if p.default is False and name not in skip]
    several = {
        name: p.annotation
        for name, p in parameters.items()
        if p.annotation in (list[Path], list[str]) and name not in skip
    }
    told = {p.arg_name: p.description for p in parse_docstring(function.__doc__ or "").params}
    helps = {**SHARED, **told}
    parser.add_function_arguments(
        function, as_group=False, as_positional=True, skip={*skip, *switches, *several}
    )
    for action in parser._actions:
        if action.dest in parameters and not action.help:
            action.help = helps.get(action.dest)
    for name, kind in several.items():
        if kind == list[Path]:
            parser.add_argument(name, type=Path, nargs="+", help=helps[name])
        else:
            parser.add_argument(name, type=str, nargs="*", help=helps[name])
    for name in switches:
        parser.add_argument(f"--{name}", action="store_true", help=helps[name])


def spelled(arguments: Sequence[str]) -> list[str]:
    """Arguments with their options as Python writes names: `--shard-clips` is `--shard_clips`."""
    words = list(arguments)
    while "--up" in words[:-1]:  # -y is a direction, and none of the options
        place = words.index("--up")
        words[place : place + 2] = [f"--up={words[place + 1]}"]
    ended = words.index("--") if "--" in words else len(words)
    return [
        _spelled(word) if place < ended and word.startswith("--") else word
        for place, word in enumerate(words)
    ]


def _spelled(word: str) -> str:
    name, equals, value = word[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"


def _shown(action: Any) -> str:
    if action is None:
        return ""
    return shown_option(action) if action.option_strings else value_word(action)
