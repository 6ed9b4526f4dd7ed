"""Keeping from the user what libraries say to others."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def compiled_parts_muted() -> Iterator[None]:
    """Standard error goes nowhere in the block, also what is written to it beneath Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def few_clips_are_meant() -> Iterator[None]:
    """Without scikit-learn's advice that so many classes of so few clips may be a regression."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield
