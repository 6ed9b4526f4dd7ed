"""`crosscale demo`: the whole main job on synthetic recordings, in minutes."""

from pathlib import Path

from rich.console import Console

from crosscale.cli.data import prepare
from crosscale.cli.evaluate import linear
from crosscale.cli.pretrain import train
from crosscale.cli.synth import synth
from crosscale.evaluate.report import Report
from crosscale.recipe import read_recipe


def demo(*, out: Path = Path("demo"), epochs: int = 60, seed: int = 0) -> Report:
    """Make synthetic recordings, prepare, pre-train, evaluate, and show the report's path.

    The recordings are synthetic stick figures: the figures say that everything works, and nothing
    about real data.

    Args:
        out: the folder to make.
        epochs: of pre-training.
        seed: of everything random.

    Returns:
        The accuracy of the pre-trained encoders and of what they must beat.
    """
    console = Console()
    recordings, store, run = out / "recordings", out / "store", out / "run"
    synth(recordings, seed=seed)
    prepare("ntu60", recordings, out=store)
    recipe = read_recipe("synthetic/crosscale", {"seed": seed, "optimisation.epochs": epochs})
    train(recipe, data=store, out=run)
    console.print("accuracy on the synthetic actors that did not train, in per cent:")
    return linear([run], floors=True)
