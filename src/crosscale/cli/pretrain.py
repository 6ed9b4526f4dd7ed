"""`crosscale pretrain`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from rich.console import Console

from crosscale.api import opened
from crosscale.cli.console import plain_console
from crosscale.cli.help import CHOSEN, HELP
from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.cli.progress import told
from crosscale.config import current_name
from crosscale.training.callbacks import EpochEnd
from crosscale.training.loop import check_folder, pretrain
from crosscale.training.recipe import (
    CHOICES,
    Family,
    Recipe,
    recipe_names,
    recipe_type,
    recipe_values,
    renamed,
)
from crosscale.training.setup import steps_per_epoch
from crosscale.utils.memory import return_freed_memory
from crosscale.utils.progress import displayed_by
from crosscale.utils.text import counted

LINES = 20  # at most, of a run, that tell of its loss
# settings that the short help explains
OFTEN = ("objective.name", "training.epochs", "training.batch_size", "optimiser.lr")
# options that it leaves out
RARE = ("family", "precision", "knn_every", "save_every", "processes", "nodes")
_SWITCHES = frozenset({"--resume", *HELP})
_ABOUT = """Pre-train encoders without labels.

    crosscale pretrain nwucla/crosscale --data stores/nwucla --out runs/nwucla"""


def train(
    recipe: Recipe,
    *,
    data: Sequence[Path | str] | None,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    processes: int = 1,
    nodes: int = 1,
) -> Path:
    """Pre-train encoders without labels.

    Args:
        recipe: every setting.
        data: stores made by `crosscale prepare`; several where the source mixes them.
        out: the run folder to make, or to go on with.
        resume: go on from the last checkpoint, also to more epochs.
        device: auto, cpu, cuda or mps.
        processes: on this machine, each with a device of its own where there are several, and its
            part of every batch. Under torchrun they are those that it starts.
        nodes: machines, under a cluster's scheduler such as Slurm.

    Returns:
        The file of trained encoders.
    """
    check_folder(out, resume)
    fabric, source, probes = opened(recipe, data or [], device, processes, nodes)
    if recipe.training.recompute and fabric.device.type == "cpu":
        return_freed_memory()
    console = plain_console()
    console.quiet = fabric.global_rank > 0
    count, batch = source.epoch_clips, recipe.training.batch_size
    steps, rest = steps_per_epoch(recipe, count), count % batch
    fate = "used" if recipe.training.last_batch == "use" else "dropped"
    console.print(
        f"{counted(count, 'clip')}, {counted(steps, 'step')} an epoch"
        + (f" (the last batch of {rest} is {fate})" if rest and count > batch else "")
        + f", stream{'s' * (len(recipe.streams) > 1)} {', '.join(recipe.streams)}"
        + f", on {fabric.device}"
    )
    if count < batch:
        console.print(
            f"{counted(count, 'clip')} are fewer than a batch of {batch}: all go in one batch"
        )

    def report(done: EpochEnd) -> None:
        judged = any(name.endswith("/knn") for name in done.metrics)
        if judged or done.epoch == done.epochs or done.epoch % -(-done.epochs // LINES) == 0:
            console.print(f"epoch {done.epoch} of {done.epochs}: {told(done)}")

    with displayed_by(None) if fabric.global_rank else nullcontext():
        written = pretrain(
            recipe,
            source,
            out,
            fabric,
            resume=resume,
            callbacks=[*probes, report],
            say=console.print,
        )
    console.print(f"encoders written to {written}")
    return written


def make_parser(arguments: Sequence[str]) -> CrosscaleParser:
    """The parser of `pretrain`, its settings and defaults those of the recipe that is named.

    Args:
        arguments: as `current_arguments` gives them.
    """
    given, positional = _scanned(arguments)
    named = positional[0] if positional else ""
    if set(HELP).intersection(arguments) and named not in recipe_names() and ".y" not in named:
        return _parser(recipe_type(), {})
    if not named:
        return _parser(recipe_type(), {})  # which then asks for the recipe
    family: Any = given.get("family", "corrected")
    changes = {name: value for name, value in given.items() if name.endswith(".name")}
    values, names = recipe_values(named, family, changes)
    return _parser(recipe_type(names), values)


def current_arguments(arguments: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Arguments with settings by their names of now.

    `--objective NAME` stands for `--objective.name NAME`; what 0.1 called otherwise is told.

    Args:
        arguments: of `pretrain`.
        say: told of each old name in a line.
    """
    found = []
    for word in arguments:
        option, equals, value = word.partition("=")
        if not option.startswith("--"):
            found.append(word)
            continue
        name = option[2:].replace("-", "_")
        now = f"{name}.name" if name in CHOICES else current_name(name)
        if now != name and name not in CHOICES:
            say(f"--{name} is called --{now} now")
        found.append(f"--{now}{equals}{value}")
    return found


def run(values: Namespace) -> None:
    """Run `pretrain` with parsed values, the recipe's settings among them."""
    chosen: dict[str, Any] = vars(values)
    names = [entry.name for entry in dataclasses.fields(Recipe)]
    kind = recipe_type({group: chosen[group].name for group in CHOICES})
    recipe = kind(**{name: chosen[name] for name in names})
    for old, new in renamed(chosen["recipe"]).items():
        Console(stderr=True).print(f"{chosen['recipe']}: {old} is called {new} now", markup=False)
    train(recipe, **{k: v for k, v in chosen.items() if k not in {*names, "recipe", "family"}})


def _scanned(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Options by name, and the other words: every option but switches has one value."""
    given: dict[str, str] = {}
    positional: list[str] = []
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            positional.append(word)
        elif word not in _SWITCHES:
            name, equals, value = word.lstrip("-").partition("=")
            given[name] = value if equals else next(words, "")
    return given, positional


def _parser(kind: type[Recipe], defaults: Mapping[str, Any]) -> CrosscaleParser:
    parser = CrosscaleParser("pretrain", _ABOUT, OFTEN, RARE)
    parser.add_argument("recipe", type=str, help="one of `crosscale list recipes`, or a YAML file")
    parser.add_argument(
        "--family",
        type=Family,
        default="corrected",
        help="corrected, or paper for the published code's behaviour",
    )
    parser.add_argument(
        "--data",
        type=str,  # the library takes no list of paths here
        action="append",
        metavar="PATH",
        help="a store; may be said several times with --source mixed",
    )
    add_function(parser, train, "recipe", "data")
    parser.add_class_arguments(kind, as_group=False)
    for action in parser._actions:
        if action.dest.endswith(CHOSEN):
            known = ", ".join(CHOICES[action.dest.removesuffix(CHOSEN)][0].paths())
            action.help = f"{known}, or your own"
    parser.set_defaults(dict(defaults))
    return parser
