"""How commands print what holds names of clips, classes and files."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table


class _PlainConsole(Console):
    def on_broken_pipe(self) -> None:
        """Go on in silence when nobody reads any more: there may be files still to be written."""
        self.quiet = True
        _leave_output_unread()


def plain_console(*, stderr: bool = False) -> Console:
    """Names and messages are printed as they are, brackets and all, in whole lines."""
    return _PlainConsole(stderr=stderr, markup=False, highlight=False, soft_wrap=True)


def plain_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table without a frame, whose long names are not cut: they are typed again."""
    table = Table(box=SIMPLE, padding=0)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End the block in silence when nobody reads what it prints any more."""
    try:
        yield
    except BrokenPipeError:
        _leave_output_unread()


def _leave_output_unread() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
