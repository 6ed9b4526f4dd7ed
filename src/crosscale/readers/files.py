"""The files of a source, named by their place in it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.utils.text import readable


def files_below(source: Path, endings: Sequence[str], what: str) -> list[Item]:
    """The files below a folder that end so, or the one file that is given.

    Args:
        source: a folder or a file.
        endings: of file names, lower case, such as `.bvh`.
        what: the files are, for the message.

    Returns:
        One item a file, sorted; its name is its path below `source` without the ending.

    Raises:
        CrosscaleError: when there are none.
    """
    if not source.exists():
        raise CrosscaleError(f"{source} does not exist")
    if source.is_file():
        return [Item(source.stem, source)]
    found = [
        Item(path.relative_to(source).with_suffix("").as_posix(), path)
        for path in source.rglob("*")
        if path.name.lower().endswith(tuple(endings)) and path.is_file()
    ]
    if not found:
        raise CrosscaleError(f"{source} has no {what} ({', '.join(endings)})")
    return sorted(found)


def some_files(source: Path, endings: Sequence[str], most: int = 3) -> list[Path]:
    """A few files below a source that end so, without listing all of it; none is no fault."""
    if source.is_file():
        return [source] if source.name.lower().endswith(tuple(endings)) else []
    return list(islice(_walk(source, tuple(endings)), most))


def _walk(source: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    for folder, folders, names in os.walk(source):
        folders.sort()  # os.walk goes down in this order
        yield from (Path(folder, name) for name in sorted(names) if name.lower().endswith(endings))


@contextmanager
def faults_named(path: Path, name: str | None = None) -> Iterator[None]:
    """Put the file's name, or another, before what is said to be wrong inside the block.

    Raises:
        BadClip: for one raised inside, and when the file cannot be read.
    """
    name = name or path.name
    try:
        yield
    except OSError as error:
        raise BadClip(f"{name}: cannot be read ({error.strerror})") from error
    except BadClip as error:
        raise BadClip(f"{name}: {error}") from None


def text_lines(path: Path) -> list[str]:
    """Lines of a text file; what is no text becomes a sign that no number has."""
    return readable(path.read_text(encoding="utf-8-sig", errors="replace")).splitlines()
