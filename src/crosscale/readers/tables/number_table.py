"""Numbers in rows of text, read at once; what departs is named with its line."""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from crosscale.errors import BadClip


def number_table(
    lines: Sequence[str], columns: int, *, first: int = 1, separator: str | None = None
) -> np.ndarray:
    """Numbers of lines that all have as many.

    Args:
        lines: rows of text; empty ones are passed over.
        columns: how many numbers each row must have.
        first: number of the first line in the file, for messages.
        separator: between numbers; None for any white space.

    Returns:
        (rows, columns) float64.

    Raises:
        BadClip: naming the line, but not the file.
    """
    rows = [line for line in lines if line and not line.isspace()]
    if not rows:
        return np.empty((0, columns))
    try:
        values = np.loadtxt(rows, delimiter=separator, comments=None, ndmin=2)
    except ValueError:
        _refuse(lines, columns, first, separator)
    if values.shape[1] != columns:
        _refuse(lines, columns, first, separator)
    return values


def _refuse(lines: Sequence[str], columns: int, first: int, separator: str | None) -> NoReturn:
    """Look for the line again, slowly."""
    last = max(number for number, line in enumerate(lines, first) if line.strip())
    for number, line in enumerate(lines, first):
        words = line.split(separator) if line.strip() else []
        if words and len(words) != columns:
            cut = "; the file is cut off here" if number == last and len(words) < columns else ""
            raise BadClip(f"line {number}: has {len(words)} numbers, not {columns}{cut}")
        for word in words:
            try:
                float(word)
            except ValueError:
                raise BadClip(f"line {number}: '{word.strip():.24}' is not a number") from None
    raise BadClip(f"lines {first} to {last} are no table of numbers")
