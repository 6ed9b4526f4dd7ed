"""The progress of long work, as the commands show it: a line on a terminal, with the time left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

from crosscale.utils.progress import Advance

if TYPE_CHECKING:  # commands that only read start in a moment without torch, and without rich
    from rich.progress import Progress

    from crosscale.training.callbacks import EpochEnd

PATIENCE = 1.0  # seconds
_NONE = 0.0005  # a loss that three digits do not show


class Bars:
    """A display of long work on the standard error, with a line for each part that others hold.

    It appears after a second, and goes when the work is done; where the standard error is no
    terminal there is none.
    """

    def __init__(self) -> None:
        self._lines = 0

    @contextmanager
    def __call__(self, what: str, total: int | None) -> Iterator[Advance]:
        """Show a line, see `crosscale.utils.progress.Display`."""
        if not sys.stderr.isatty():
            yield lambda done: None
            return
        if not self._lines:
            self._bars = bars_of_progress()
            self._wait = Timer(PATIENCE, self._bars.start)
            self._wait.daemon = True
            self._wait.start()
        bars = self._bars
        task = bars.add_task(what, total=total)
        self._lines += 1
        try:
            yield lambda done: bars.advance(task, done)
        finally:
            self._lines -= 1
            bars.remove_task(task)
            if not self._lines:
                self._wait.cancel()
                self._wait.join()  # it may be opening them
                bars.stop()


def bars_of_progress() -> "Progress":
    """Bars of the library, none of them drawn yet."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # What goes into a pipe must not be drawn above the bars.
        redirect_stdout=sys.stdout.isatty(),
    )


def told(done: "EpochEnd") -> str:
    """What an epoch gave, in a line; without a rate where a resumed epoch had no step left.

    A query that has only its own key to be told from, before there is a queue, has a loss of 0.
    """
    loss = done.metrics["loss"]
    words = [f"loss {loss:.3f}" if abs(loss) >= _NONE else "no loss yet"]
    words += [f"{done.clips_per_second:.0f} clips/s"] if done.clips_per_second else []
    words += [
        f"nearest neighbour of {name.removesuffix('/knn')} right {100 * value:.1f} %"
        for name, value in done.metrics.items()
        if name.endswith("/knn")
    ]
    return ", ".join(words)
