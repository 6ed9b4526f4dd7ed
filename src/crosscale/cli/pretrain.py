"""`crosscale pretrain`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from jsonargparse import Namespace
from rich.console import Console

from crosscale.cli.help import HELP
from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.cli.progress import epoch_bar, told
from crosscale.data.store import ClipStore
from crosscale.training.distributed import team_fabric
from crosscale.training.loop import EpochDone, pretrain, steps_per_epoch
from crosscale.training.recipe import Recipe, recipe_names, recipe_values
from crosscale.training.sources import load_training
from crosscale.utils.memory import return_freed_memory

Family = Literal["corrected", "paper"]
# settings that the short help explains
OFTEN = ("optimisation.epochs", "optimisation.batch", "optimisation.learning_rate")
RARE = ("precision", "knn_every", "save_every", "nodes")  # options that it leaves out
_ABOUT = """Pre-train encoders without labels.

    crosscale pretrain nwucla/crosscale --data stores/nwucla --out runs/nwucla

The help after a recipe, `crosscale pretrain nwucla/crosscale --help`, has its values."""


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    processes: int = 1,
    nodes: int = 1,
) -> Path:
    """Pre-train encoders without labels.

    Args:
        recipe: every setting.
        data: a store made by `crosscale prepare`.
        out: the run folder to make, or to go on with.
        resume: go on from the last checkpoint in the run folder, also to more epochs.
        device: auto, cpu, cuda or mps.
        processes: on this machine, each with a device of its own where there are several, and its
            part of every batch. Under torchrun they are those that it starts.
        nodes: machines, under a cluster's scheduler such as Slurm.

    Returns:
        The file of trained encoders.
    """
    fabric = team_fabric(recipe.precision, device, processes, nodes)
    if recipe.optimisation.recompute and fabric.device.type == "cpu":
        return_freed_memory()
    console = Console(quiet=fabric.global_rank > 0)
    training = load_training(ClipStore.open(data), recipe, fabric.device)
    count, batch = len(training.labels), recipe.optimisation.batch
    rest = count % batch
    fate = "used" if recipe.optimisation.last_batch == "use" else "dropped"
    console.print(
        f"{count} clips, {steps_per_epoch(recipe, count)} steps an epoch"
        + (f" (the last batch of {rest} is {fate})" if rest else "")
        + f", streams {', '.join(recipe.contrast.streams)}, on {fabric.device}"
    )
    if count < batch:
        console.print(f"{count} clips are fewer than a batch of {batch}: all go in one batch")
    with epoch_bar(console, "left") as bar:
        task = bar.add_task("", total=recipe.optimisation.epochs, told="")

        def report(done: EpochDone) -> None:
            bar.update(task, completed=done.epoch, told=told(done))
            if any(name.endswith("/knn") for name in done.row):
                bar.console.print(f"epoch {done.epoch}: {told(done)}")

        written = pretrain(
            recipe, training, out, fabric, resume=resume, report=report, say=bar.console.print
        )
    console.print(f"encoders written to {written}")
    return written


def make_parser(arguments: Sequence[str]) -> CrosscaleParser:
    """The parser of `pretrain`, its defaults those of the recipe that the arguments name."""
    if set(HELP).intersection(arguments):
        # Help ends the parsing, so the recipe is looked for among the words.
        known = recipe_names()
        named = [word for word in arguments if word in known or word.endswith(".yaml")]
        return _parser(recipe_values(named[0])) if named else _parser({})
    chosen = _parser({}).parse_args(arguments)
    return _parser(recipe_values(chosen.recipe, chosen.family))


def run(values: Namespace) -> None:
    """Run `pretrain` with parsed values, the recipe's settings among them."""
    chosen: dict[str, Any] = vars(values)
    names = {entry.name for entry in dataclasses.fields(Recipe)}
    recipe = Recipe(**{name: chosen[name] for name in names})
    train(recipe, **{k: v for k, v in chosen.items() if k not in {*names, "recipe", "family"}})


def _parser(defaults: Mapping[str, Any]) -> CrosscaleParser:
    parser = CrosscaleParser("pretrain", _ABOUT, OFTEN, RARE)
    parser.add_argument(
        "recipe", type=str, help="a name that `crosscale list recipes` shows, or a YAML file"
    )
    parser.add_argument(
        "--family",
        type=Family,
        default="corrected",
        help="corrected, or the published code's behaviour",
    )
    add_function(parser, train, "recipe")
    parser.add_class_arguments(Recipe, as_group=False)
    parser.set_defaults(dict(defaults))
    return parser
