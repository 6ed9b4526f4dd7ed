"""`crosscale demo`: the whole main job on synthetic recordings, in minutes."""

from pathlib import Path

from rich.console import Console

from crosscale.cli.data import prepare
from crosscale.cli.evaluate import evaluate
from crosscale.cli.pretrain import train
from crosscale.cli.synth import synth
from crosscale.evaluation.report import Report
from crosscale.training.recipe import Precision, read_recipe


def demo(*, out: Path = Path("demo"), epochs: int = 48, seed: int = 0) -> Report:
    """Make synthetic recordings, prepare, pre-train, evaluate, and show the report's path.

        crosscale demo --out demo

    The recordings are synthetic stick figures: the figures say that everything works, and nothing
    about real data. On a processor with bf16 instructions it trains in bf16, which is faster.

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
    chosen = {"seed": seed, "training.epochs": epochs, "precision": _precision()}
    recipe = read_recipe("synthetic/crosscale", chosen)
    train(recipe, data=[store], out=run)
    console.print("accuracy on the synthetic actors that did not train, in per cent:")
    return evaluate("linear", [run], baselines=True)


def _precision() -> Precision:
    """The faster one here: without instructions for bf16 a processor takes a detour for each."""
    try:
        has_bf16 = "bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        has_bf16 = False
    return "bf16-mixed" if has_bf16 else "32-true"
