"""The progress of reading and of pre-training, as the commands show it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:  # commands that only read start in a moment without torch
    from crosscale.training.callbacks import EpochEnd


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


def told(done: "EpochEnd") -> str:
    """What an epoch gave, in a line; without a rate where a resumed epoch had no step left."""
    words = [f"loss {done.metrics['loss']:.3f}"]
    words += [f"{done.clips_per_second:.0f} clips/s"] if done.clips_per_second else []
    words += [
        f"{name} {100 * value:.1f}" for name, value in done.metrics.items() if name.endswith("/knn")
    ]
    return ", ".join(words)


@contextmanager
def reading_bar(console: Console) -> Iterator[Callable[[int, int, int], None]]:
    """A bar of recordings; gives what is to be told how many are done, of all, and skipped."""
    bar = Progress(
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        _ClipsPerSecond(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[skipped]} skipped"),
        console=console,
    )
    with bar:
        task = bar.add_task("", total=None, skipped=0, visible=False)
        yield lambda done, total, skipped: bar.update(
            task, completed=done, total=total, skipped=skipped, visible=True
        )


class _ClipsPerSecond(ProgressColumn):
    """Clips a second, once there are some."""

    def render(self, task: Task) -> Text:
        """The rate."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} clips/s")
