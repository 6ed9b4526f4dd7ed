"""The command line: one typed function a command, imported when it is called."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import getdoc
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from crosscale import __version__
from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.errors import CrosscaleError
from crosscale.utils.memory import keep_freed_memory
from crosscale.utils.stopping import signals_stop, stop_asked

# name: (module, function, help). Modules are imported late because PyTorch takes seconds, which
# `--help` and `prepare` need not wait for.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "prepare": (
        "crosscale.cli.data",
        "prepare",
        "Read recordings into a store: one folder that all other commands take.",
    ),
    "data check": (
        "crosscale.cli.data",
        "check",
        "Verify a store's checksums and find test clips that equal training clips.",
    ),
    "data merge": (
        "crosscale.cli.data",
        "merge",
        "Write the clips of several stores into one, in a layout that all can be brought to.",
    ),
    "data show": (
        "crosscale.cli.data",
        "show",
        "Tell what a store holds: classes, subjects, cameras, protocols and the first clips.",
    ),
    "pretrain": ("crosscale.cli.pretrain", "train", "Pre-train encoders without labels."),
    "evaluate linear": (
        "crosscale.cli.evaluate",
        "linear",
        "Train one linear layer on the frozen features of each stream, and on their sum.",
    ),
    "evaluate ridge": (
        "crosscale.cli.evaluate",
        "ridge",
        "Fit a linear layer to the frozen features of each stream by least squares, and their sum.",
    ),
    "evaluate knn": (
        "crosscale.cli.evaluate",
        "knn",
        "Classify each test clip by its nearest training clips, for each stream and their sum.",
    ),
    "evaluate retrieval": (
        "crosscale.cli.evaluate",
        "retrieval",
        "Rank the training clips for each test clip, and tell how early those of its class come.",
    ),
    "evaluate semi": (
        "crosscale.cli.evaluate",
        "semi",
        "Train the linear layer on small shares of the labels, each drawn several times.",
    ),
    "evaluate finetune": (
        "crosscale.cli.evaluate",
        "finetune",
        "Train each stream's encoder together with a linear layer on it, and judge them.",
    ),
    "embed": (
        "crosscale.cli.inference",
        "embed",
        "Write one vector a clip, in the store's order, with names and labels.",
    ),
    "classify": (
        "crosscale.cli.inference",
        "classify",
        'Name clips by a few labelled ones, with probabilities and "none of these".',
    ),
    "index": (
        "crosscale.cli.inference",
        "index",
        "Make a folder in which `crosscale search` finds similar clips.",
    ),
    "search": (
        "crosscale.cli.inference",
        "search",
        "Find the clips most similar to a clip of the index, or to those of another store.",
    ),
    "segment": (
        "crosscale.cli.inference",
        "segment",
        "Tell what happens when in long recordings, by windows that slide over them.",
    ),
    "live": (
        "crosscale.cli.inference",
        "live",
        "Name what people do while frames come in: JSON lines in, JSON lines out.",
    ),
    "camera": (
        "crosscale.cli.camera",
        "camera",
        "Write what a camera sees of people as JSON lines, for `crosscale live`.",
    ),
    "serve": (
        "crosscale.cli.serve",
        "serve",
        "Open a local web app: drop a recording or turn the webcam on, and see what happens when.",
    ),
    "webcam": (
        "crosscale.cli.serve",
        "webcam",
        "Fetch the pose estimator that the page of `crosscale serve` runs in the browser, once.",
    ),
    "view": (
        "crosscale.cli.viz",
        "view",
        "Write one HTML page that plays skeletons in 3D, side by side; it needs no network.",
    ),
    "map": (
        "crosscale.cli.viz",
        "map_clips",
        "Write an interactive map of embeddings, where pointing at a dot plays its clip.",
    ),
    "layout start": (
        "crosscale.cli.layout",
        "start",
        "Write the beginning of a layout for recordings whose joints have names of their own.",
    ),
    "layout check": (
        "crosscale.cli.viz",
        "check_layout",
        "Check a layout, tell what it says, and draw it on request.",
    ),
    "export onnx": (
        "crosscale.cli.export",
        "onnx",
        "Write all streams as one ONNX file, for any number of clips of any length, and check it.",
    ),
    "export torch": (
        "crosscale.cli.export",
        "torch_program",
        "Write all streams as one `torch.export` program, load it again, and check it.",
    ),
    "export published": (
        "crosscale.cli.export",
        "published",
        "Write the encoders as a .pt file under the names of the published code.",
    ),
    "export folder": (
        "crosscale.cli.export",
        "folder",
        "Write the folder that `crosscale push` uploads: weights, configuration, model card.",
    ),
    "import published": (
        "crosscale.cli.export",
        "import_published",
        "Make a run folder of a checkpoint of SkeletonCLR, CrosSCLR or AimCLR.",
    ),
    "push": (
        "crosscale.cli.export",
        "push",
        "Share the encoders on the Hugging Face hub, with a model card made from the run.",
    ),
    "compare": (
        "crosscale.cli.compare",
        "compare",
        "Train and judge methods on data sets with several seeds, and tabulate the differences.",
    ),
    "synth": (
        "crosscale.cli.synth",
        "synth",
        "Make a synthetic data set of stick figures, in the format and naming of NTU RGB+D.",
    ),
    "demo": (
        "crosscale.cli.demo",
        "demo",
        "Make synthetic recordings, prepare, pre-train, evaluate, and show the report's path.",
    ),
    "retrain": (
        "crosscale.cli.retrain",
        "retrain",
        "Make the encoder `parts` again, which comes with crosscale, from the recordings on.",
    ),
}
USER_ERROR, INTERRUPTED = 2, 130
RENAMED = {"--moments": "--subclips"}  # what options were called in 0.1, and are called now


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    keep_freed_memory()
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        with signals_stop():
            _run([_present_name(word, errors) for word in arguments])
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or stop_asked():
            errors.print("crosscale: stopped; nothing half-written is left", style="yellow")
            return INTERRUPTED
        if isinstance(error, CrosscaleError):
            errors.print(f"crosscale: {error}", style="red", markup=False)
            return USER_ERROR
        raise
    return 0


def _run(arguments: list[str]) -> None:
    parser = CrosscaleParser(
        prog="crosscale",
        version=__version__,
        description="Recognise human actions from skeletons without labels.",
    )
    commands = parser.add_subcommands(dest="command", title="commands", metavar="command")
    groups: dict[str, Any] = {}
    called = [word for word in arguments if not word.startswith("-")]
    for name, (_, _, line) in COMMANDS.items():
        head, _, leaf = name.partition(" ")
        own = _parser_of(name, arguments) if called[: 1 + bool(leaf)] == name.split() else None
        if not leaf:
            commands.add_subcommand(head, own or CrosscaleParser(), help=line)
            continue
        if head not in groups:
            group = CrosscaleParser(description=GROUPS[head])
            commands.add_subcommand(head, group, help=GROUPS[head])
            groups[head] = group.add_subcommands(dest="action", metavar="action")
        groups[head].add_subcommand(leaf, own or CrosscaleParser(), help=line)
    values = parser.instantiate(parser.parse_args(arguments))
    name = values.command
    values = values[name]
    if name in GROUPS:
        name, values = f"{name} {values.action}", values[values.action]
    if name == "pretrain":
        import_module("crosscale.cli.pretrain").run(values)
    else:
        _function(name)(**_arguments(values))


def _present_name(word: str, errors: Console) -> str:
    name, equals, value = word.partition("=")
    if name not in RENAMED:
        return word
    errors.print(f"crosscale: {name} is called {RENAMED[name]} now", style="yellow", markup=False)
    return RENAMED[name] + equals + value


GROUPS = {
    "data": "Look at a prepared data set.",
    "layout": "Look at the layout of a skeleton.",
    "evaluate": "Judge the encoders of one or more runs.",
    "export": "Write a run's encoders for other programs, or for others to load.",
    "import": "Make a run folder of what other programs wrote.",
}


def _function(name: str) -> Callable[..., Any]:
    module, function, _ = COMMANDS[name]
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _parser_of(name: str, arguments: list[str]) -> ArgumentParser:
    if name == "pretrain":
        after = arguments[arguments.index("pretrain") + 1 :]
        made: ArgumentParser = import_module("crosscale.cli.pretrain").make_parser(after)
        return made
    function = _function(name)
    parser = CrosscaleParser(description=(getdoc(function) or "").split("\n\nArgs:")[0])
    add_function(parser, function)
    return parser


def _arguments(values: Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(values).items() if name != "action"}
