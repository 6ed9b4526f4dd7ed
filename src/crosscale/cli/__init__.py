"""The command line: one typed function a command, imported when it is called."""

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosscale import __version__
from crosscale.cli.help import HELP, kebab, table, width
from crosscale.cli.progress import Bars
from crosscale.errors import CrosscaleError, nearest
from crosscale.utils.memory import keep_freed_memory
from crosscale.utils.progress import displayed_by
from crosscale.utils.stopping import signals_stop, stop_asked

if TYPE_CHECKING:
    from crosscale.cli.parser import CrosscaleParser

# heading: {command: module.function}. Modules are imported when called, and the help of all
# commands is read from their text; what computes is imported by functions when they run, because
# PyTorch takes seconds, which a wrong option should not wait for.
SECTIONS: dict[str, dict[str, str]] = {
    "data": {
        "prepare": "data.prepare",
        "data check": "data.check",
        "data merge": "data.merge",
        "data show": "data.show",
        "layout start": "layout.start",
        "layout check": "viz.check_layout",
    },
    "training and judging": {
        "pretrain": "pretrain.train",
        **{
            f"evaluate {probe}": "evaluate.evaluate"
            for probe in ("linear", "ridge", "knn", "few", "retrieval", "semi", "finetune")
        },
        "benchmark": "benchmark.benchmark",
        "compare": "compare.compare",
    },
    "using an encoder": {
        "embed": "inference.embed",
        "classify": "inference.classify",
        "index": "inference.index",
        "search": "inference.search",
        "segment": "inference.segment",
        "live": "live.live",
        "camera": "live.camera",
        "serve": "serve.serve",
        "webcam": "serve.webcam",
    },
    "looking": {"view": "viz.view", "map": "viz.map_clips"},
    "sharing": {
        "export onnx": "export.onnx",
        "export torch": "export.torch_program",
        "export published": "export.published",
        "export folder": "export.folder",
        "import published": "export.import_published",
        "push": "export.push",
    },
    "finding out": {
        "list": "listing.list_kind",
        "completion": "completion.completion",
        "demo": "demo.demo",
        "examples": "examples.examples",
        "synth": "synth.synth",
        "retrain": "retrain.retrain",
    },
}
COMMANDS = {name: place for section in SECTIONS.values() for name, place in section.items()}
GROUPS = {
    "data": "Look at a prepared data set, or merge several.",
    "layout": "Look at the layout of a skeleton, or begin one.",
    "evaluate": "Judge the encoders of one or more runs by a probe: one of these, or one's own by "
    "import path, such as sklearn.svm:LinearSVC.",
    "export": "Write a run's encoders for other programs, or for others to load.",
    "import": "Make a run folder of what other programs wrote.",
}
USER_ERROR, INTERRUPTED = 2, 130
COMPLETE = "__complete"  # by which shells ask for words; see `crosscale completion`
_RED, _YELLOW = 31, 33
# What options were called in 0.1, everywhere or with one command (and one value), and are now.
RENAMED = {
    "--moments": "--subclips",
    "prepare --engine": "--runner",
    "prepare --bodies": "--bodies_by",
    "embed --engine ray": "--runner",
    "index --engine ray": "--runner",
    "segment --labels": "--labelled",
    "view --views": "--recipe",
    "compare --table": "--tables_only",
}
REMOVED = {  # what 0.1 had, and the way on
    "--with_preprocess": "exported programs take prepared clips, and the JSON file beside them "
    "tells the steps; docs/export.md shows them in a few lines of numpy",
}
_ABOUT = """usage: crosscale COMMAND [options]

Recognise human actions from skeletons without labels.

    crosscale demo --out demo
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    keep_freed_memory()
    try:
        with signals_stop(), displayed_by(Bars()):
            return _run(arguments)
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or stop_asked():
            told = str(error) if isinstance(error, KeyboardInterrupt) else ""
            _complain(f"stopped; {told or 'nothing half-written is left'}", _YELLOW)
            return INTERRUPTED
        if isinstance(error, CrosscaleError):
            _complain(str(error), _RED)
            return USER_ERROR
        raise


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"crosscale {__version__}")
        return 0
    if arguments[:1] == [COMPLETE]:
        import_module("crosscale.cli.completion").complete(arguments[1:])
        return 0
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    name = _command(arguments)
    if name not in COMMANDS and not name.startswith("evaluate "):
        told = _help_of_group(name) if name else _help_of_all()
        asked = len(arguments) > len(name.split())
        print(told, end="", file=sys.stdout if asked else sys.stderr)
        return 0 if asked else USER_ERROR
    from crosscale.cli.parser import spelled

    rest = _present_names(name, spelled(arguments[len(name.split()) :]))
    if (head := name.split()[0]) in ("pretrain", "evaluate"):
        say = partial(_complain, colour=_YELLOW)
        rest = import_module(f"crosscale.cli.{head}").current_arguments(rest, say)
    parser = parser_of(name, rest)
    if asked_for := set(HELP).intersection(rest):
        print(parser.told(everything="--help_all" in asked_for), end="")
        return 0
    values = parser.instantiate(parser.parse_args(rest))
    if name == "pretrain":
        import_module("crosscale.cli.pretrain").run(values)
    elif name.startswith("evaluate "):
        import_module("crosscale.cli.evaluate").run(name.split()[1], values)
    else:
        _function(name)(**vars(values))
    return 0


def _command(arguments: Sequence[str]) -> str:
    """The command that is called; a group where its help is asked for, nothing for that of all.

    Raises:
        CrosscaleError: when there is none of this name, with those that are near.
    """
    name = ""
    heads = [*dict.fromkeys(command.split()[0] for command in COMMANDS)]
    for word in arguments[:2]:
        if word in HELP:
            return name
        if name == "evaluate" and not word.startswith("-"):
            return f"evaluate {word}"  # any probe: a registered one, or an import path
        known = [c.split()[1] for c in COMMANDS if c.startswith(f"{name} ")] if name else heads
        if word not in known:
            see = " ".join(filter(None, ("crosscale", name, "--help")))
            if word.startswith("-"):
                raise CrosscaleError(f"unknown option {word}: see `{see}`")
            kind = f"{name} command".strip()
            raise CrosscaleError(f"no {kind} '{word}': {nearest(word, known, see)}")
        name = f"{name} {word}".strip()
        if name in COMMANDS:
            return name
    return name


def _help_of_all() -> str:
    sections = []
    for heading, commands in SECTIONS.items():
        heads = dict.fromkeys(name.split()[0] for name in commands)
        rows = [(head, GROUPS.get(head) or first_line(head)) for head in heads]
        sections.append(table(heading, [(left, right.rstrip(".")) for left, right in rows], 14))
    end = "`crosscale COMMAND --help` tells more.\n"
    return "\n".join([_ABOUT, *(section + "\n" for section in sections), end])


def _help_of_group(group: str) -> str:
    names = [name for name in COMMANDS if name.startswith(f"{group} ")]
    rows = [(name.split()[1], first_line(name).rstrip(".")) for name in names]
    about = textwrap.fill(GROUPS[group], width(), break_on_hyphens=False)
    head = f"usage: crosscale {group} COMMAND [options]\n\n{about}\n"
    end = f"`crosscale {group} COMMAND --help` tells more.\n"
    return "\n".join([head, table("commands", rows, 14) + "\n", end])


def first_line(name: str) -> str:
    """What a command does, without importing it."""
    if name.startswith("evaluate "):
        from crosscale.cli.listing import entries

        return next(entry.about for entry in entries("probes") if entry.name == name.split()[1])
    module, function = COMMANDS[name].split(".")
    text = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    found = re.search(rf'^def {function}\(.*?"""(.*?)$', text, re.DOTALL | re.MULTILINE)
    return found[1].removesuffix('"""') if found else ""


def _function(name: str) -> Any:
    module, function = COMMANDS[name].split(".")
    return getattr(import_module(f"crosscale.cli.{module}"), function)


def parser_of(name: str, arguments: Sequence[str]) -> "CrosscaleParser":
    """The parser of a command; of `pretrain`, for the recipe that the arguments name.

    Raises:
        CrosscaleError: when there is no such recipe or probe.
    """
    from crosscale.cli.parser import CrosscaleParser, add_function

    if name == "pretrain":
        return import_module("crosscale.cli.pretrain").make_parser(arguments)
    if name.startswith("evaluate "):
        return import_module("crosscale.cli.evaluate").make_parser(name.split()[1])
    function = _function(name)
    about = re.split(r"\n\n(?:Args|Returns|Raises):", getdoc(function) or "")[0]
    parser = CrosscaleParser(name, about)
    add_function(parser, function)
    return parser


def _present_names(command: str, words: Sequence[str]) -> list[str]:
    """Words of a command with its options as they are called now, telling those that were not."""
    present = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        option, equals, value = word.partition("=")
        value = value if equals else following
        if option in REMOVED:
            raise CrosscaleError(f"there is no {kebab(option)} any more: {REMOVED[option]}")
        for old in (option, f"{command} {option}", f"{command} {option} {value}"):
            if old in RENAMED:
                told = old.removeprefix(f"{command} ")
                now = told.replace(option, RENAMED[old])
                _complain(f"{kebab(told)} is called {kebab(now)} now", _YELLOW)
                word = RENAMED[old] + word.removeprefix(option)
        present.append(word)
    return present


def _complain(text: str, colour: int) -> None:
    """Print a line to the standard error, in a colour on a terminal."""
    told = f"crosscale: {text}"
    is_coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    print(f"\x1b[{colour}m{told}\x1b[0m" if is_coloured else told, file=sys.stderr)
