"""The command line: one typed function a command."""

import sys
from collections.abc import Callable, Sequence
from inspect import getdoc
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from crosscale import __version__
from crosscale.cli.data import check, prepare, show
from crosscale.cli.demo import demo
from crosscale.cli.evaluate import knn, linear
from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.cli.pretrain import add_pretrain, run_pretrain
from crosscale.cli.synth import synth
from crosscale.errors import CrosscaleError

COMMANDS: dict[str, Callable[..., Any]] = {
    "prepare": prepare,
    "data check": check,
    "data show": show,
    "evaluate linear": linear,
    "evaluate knn": knn,
    "synth": synth,
    "demo": demo,
}
USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        _run(arguments)
    except CrosscaleError as error:
        errors.print(f"crosscale: {error}", style="red", markup=False)
        return USER_ERROR
    except KeyboardInterrupt:
        errors.print("crosscale: stopped; nothing half-written is left", style="yellow")
        return INTERRUPTED
    return 0


def _run(arguments: list[str]) -> None:
    parser = CrosscaleParser(
        prog="crosscale",
        version=__version__,
        description="Recognise human actions from skeletons without labels.",
    )
    commands = parser.add_subcommands(dest="command", title="commands", metavar="command")
    groups: dict[str, Any] = {}
    for name, function in COMMANDS.items():
        head, _, leaf = name.partition(" ")
        if not leaf:
            commands.add_subcommand(head, _parser_of(function), help=_first_line(function))
            continue
        if head not in groups:
            group = CrosscaleParser(description=GROUPS[head])
            commands.add_subcommand(head, group, help=GROUPS[head])
            groups[head] = group.add_subcommands(dest="action", metavar="action")
        groups[head].add_subcommand(leaf, _parser_of(function), help=_first_line(function))
    commands.add_subcommand(
        "pretrain", add_pretrain(arguments), help="Pre-train an encoder without labels."
    )
    chosen = parser.parse_args(arguments)
    if chosen.command == "pretrain":
        run_pretrain(chosen.pretrain)
        return
    values = parser.instantiate(chosen)[chosen.command]
    name = chosen.command
    if name in GROUPS:
        name, values = f"{name} {values.action}", values[values.action]
    COMMANDS[name](**_arguments(values))


GROUPS = {
    "data": "Look at a prepared data set.",
    "evaluate": "Judge the frozen encoders of one or more runs.",
}


def _parser_of(function: Callable[..., Any]) -> ArgumentParser:
    parser = CrosscaleParser(description=(getdoc(function) or "").split("\n\nArgs:")[0])
    add_function(parser, function)
    return parser


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def _arguments(values: Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(values).items() if name != "action"}
