"""Fills `commands.md` with the help of every command, as the program prints it."""

import contextlib
import io
import os
from typing import Any

MARK = "<!-- every command -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of all commands in place of the mark."""
    return markdown.replace(MARK, _all_helps()) if MARK in markdown else markdown


def _all_helps() -> str:
    os.environ["COLUMNS"] = "96"
    from crosscale.cli import COMMANDS, first_line

    return "\n\n".join(
        f"## {name}\n\n{first_line(name)}\n\n```text\n{_help(name)}\n```" for name in COMMANDS
    )


def _help(name: str) -> str:
    from crosscale.cli import main

    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        main([*name.split(), "--help-all"])
    return told.getvalue().strip()
