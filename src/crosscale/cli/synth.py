"""`crosscale synth`."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from crosscale.synthesis import SyntheticSet, SyntheticSettings, write_synthetic


def synth(
    out: Path,
    *,
    classes: int = 12,
    subjects: int = 8,
    cameras: int = 3,
    repetitions: int = 2,
    clips: int | None = None,
    frames: tuple[int, int] = (40, 110),
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
) -> SyntheticSet:
    """Make a synthetic data set of stick figures, in the format and naming of NTU RGB+D.

        crosscale synth recordings --classes 4 --subjects 4 --cameras 2

    Args:
        out: the folder to make.
        classes: how many actions; NTU RGB+D has 60 or 120.
        subjects: how many actors, numbered from 1; NTU RGB+D has 40 or 106.
        cameras: 1 to 3.
        repetitions: how often each actor does each action.
        clips: take so many of all combinations, drawn at random; all if not given.
        frames: the shortest and the longest clip.
        seed: the same settings and seed give the same files.
        overwrite: replace a synthetic data set that exists.
    """
    settings = SyntheticSettings(classes, subjects, cameras, repetitions, clips, frames, seed)
    console = Console()
    columns = (TextColumn("writing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=settings.clips or settings.combinations)
        made = write_synthetic(
            out,
            settings,
            workers=workers,
            overwrite=overwrite,
            progress=lambda written: bar.advance(task, written),
        )
    console.print(
        f"{made.clips:,} synthetic clips ({made.megabytes:,.0f} MB) of {classes} actions in {out}"
    )
    return made
