"""`crosscale demo`: an encoder at work, and another one made, on synthetic clips in minutes."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crosscale.evaluation.report import Report


def demo(
    *, out: Path = Path("demo"), actors: int = 12, epochs: int = 12, seed: int = 0
) -> "Report":
    """Show the encoder that comes with crosscale at work, then pre-train a small one.

        crosscale demo --out demo

    All clips are synthetic stick figures who act in turned views, each in their own body, pace and
    manner: the figures say how features differ, and nothing about real data.

    Args:
        out: the folder to make.
        actors: how many; those with odd numbers are labelled, the others are judged.
        epochs: of pre-training.
        seed: of everything random.

    Returns:
        The accuracy of the shipped encoder, and of all that was measured beside it.
    """
    from crosscale.cli.demo_steps import shown

    return shown(out, actors, epochs, seed)
