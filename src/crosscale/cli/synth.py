"""`crosscale synth`."""

from pathlib import Path
from typing import TYPE_CHECKING

from crosscale.cli.console import plain_console
from crosscale.utils.progress import progress
from crosscale.utils.text import counted

if TYPE_CHECKING:
    from crosscale.synthesis import SyntheticSet


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
) -> "SyntheticSet":
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
    from crosscale.synthesis import SyntheticSettings, write_synthetic

    settings = SyntheticSettings(classes, subjects, cameras, repetitions, clips, frames, seed)
    with progress("writing clips", settings.clips or settings.combinations) as advance:
        made = write_synthetic(
            out, settings, workers=workers, overwrite=overwrite, progress=advance
        )
    plain_console().print(
        f"{counted(made.clips, 'synthetic clip')} ({made.megabytes:,.0f} MB) of "
        f"{counted(classes, 'action')} in {out}"
    )
    return made
