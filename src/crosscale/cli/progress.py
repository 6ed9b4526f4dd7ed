"""The progress of a pre-training, as the commands that train show it."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from crosscale.training.loop import EpochDone


def epoch_bar(console: Console, left: str) -> Progress:
    """A bar of epochs whose tasks have a field `told`; `left` stands before the time left."""
    return Progress(
        TextColumn("epoch {task.completed}/{task.total}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn(left),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
        console=console,
    )


def told(done: EpochDone) -> str:
    """What an epoch gave, in a line; without a rate where a resumed epoch had no step left."""
    words = [f"loss {done.row['loss']:.3f}"]
    words += [f"{done.clips_per_second:.0f} clips/s"] if done.clips_per_second else []
    words += [
        f"{name} {100 * value:.1f}" for name, value in done.row.items() if name.endswith("/knn")
    ]
    return ", ".join(words)
