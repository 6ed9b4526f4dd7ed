"""How commands print what holds names of clips, classes and files."""

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """Names and messages are printed as they are, brackets and all, in whole lines."""
    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True)
