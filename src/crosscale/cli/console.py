"""How commands print what holds names of clips, classes and files."""

import os
import sys

from rich.console import Console


class _PlainConsole(Console):
    def on_broken_pipe(self) -> None:
        """Go on in silence when nobody reads any more: there may be files still to be written."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plain_console(*, stderr: bool = False) -> Console:
    """Names and messages are printed as they are, brackets and all, in whole lines."""
    return _PlainConsole(stderr=stderr, markup=False, highlight=False, soft_wrap=True)
