"""`crosscale pretrain`."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jsonargparse import Namespace
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.recipe import Recipe, recipe_names, recipe_values
from crosscale.train.data import load_training
from crosscale.train.loop import EpochDone, pretrain, steps_per_epoch

Family = Literal["corrected", "paper"]


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    device: str = "auto",
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true",
) -> Path:
    """Pre-train encoders without labels.

    Args:
        recipe: every setting.
        data: a store made by `crosscale prepare`.
        out: the run folder to make, or to go on with.
        resume: go on from the last checkpoint in the run folder.
        device: auto, cpu, cuda or mps.
        precision: of the arithmetic.

    Returns:
        The file of trained encoders.
    """
    console = Console()
    fabric = Fabric(accelerator=device, devices=1, precision=precision)
    fabric.launch()
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
    with Progress(
        TextColumn("epoch {task.completed}/{task.total}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
        console=console,
    ) as bar:
        task = bar.add_task("", total=recipe.optimisation.epochs, told="")

        def report(done: EpochDone) -> None:
            bar.update(task, completed=done.epoch, told=_told(done))
            if any(name.endswith("/knn") for name in done.row):
                bar.console.print(f"epoch {done.epoch}: {_told(done)}")

        written = pretrain(recipe, training, out, fabric, resume=resume, report=report)
    console.print(f"encoders written to {written}")
    return written


def add_pretrain(arguments: list[str]) -> CrosscaleParser:
    """The parser of `pretrain`, its defaults those of the recipe that the command line names."""
    parser = CrosscaleParser(
        description="Pre-train an encoder without labels, for example: "
        "crosscale pretrain nwucla/crosscale --data stores/nwucla --out runs/nwucla"
    )
    parser.add_argument(
        "recipe", type=str, help=f"a YAML file or one of {', '.join(recipe_names())}"
    )
    parser.add_argument(
        "--family",
        type=Family,
        default="corrected",
        help="corrected, or the published code's behaviour",
    )
    add_function(parser, train, "recipe")
    parser.add_class_arguments(Recipe, as_group=False)
    if arguments[:1] == ["pretrain"] and len(arguments) > 1:
        first = arguments[1]
        if not first.startswith("-"):
            parser.set_defaults(recipe_values(first, _family(arguments)))
        elif first not in ("-h", "--help"):
            # Its values are the defaults, so a recipe named later would not count.
            raise CrosscaleError("name the recipe first: crosscale pretrain nwucla/crosscale …")
    return parser


def run_pretrain(values: Namespace) -> None:
    """Run `pretrain` with parsed values."""
    chosen: dict[str, Any] = vars(values)
    names = {entry.name for entry in dataclasses.fields(Recipe)}
    parser = CrosscaleParser()
    parser.add_class_arguments(Recipe, as_group=False)
    built = parser.instantiate(Namespace({k: v for k, v in chosen.items() if k in names}))
    others = {k: v for k, v in chosen.items() if k not in names and k not in ("recipe", "family")}
    train(Recipe(**vars(built)), **others)


def read_recipe(name: str, changes: Mapping[str, Any], family: str = "corrected") -> Recipe:
    """A recipe by name, with some of its values changed (dotted names)."""
    parser = CrosscaleParser()
    parser.add_class_arguments(Recipe, as_group=False)
    parser.set_defaults(recipe_values(name, family) | dict(changes))
    return Recipe(**vars(parser.instantiate(parser.get_defaults())))


def _family(arguments: list[str]) -> str:
    for place, argument in enumerate(arguments):
        if argument.startswith("--family="):
            return argument.partition("=")[2]
        if argument == "--family" and place + 1 < len(arguments):
            return arguments[place + 1]
    return "corrected"


def _told(done: EpochDone) -> str:
    words = [f"loss {done.row['loss']:.3f}", f"{done.clips_per_second:.0f} clips/s"]
    words += [
        f"{name} {100 * value:.1f}" for name, value in done.row.items() if name.endswith("/knn")
    ]
    return ", ".join(words)
