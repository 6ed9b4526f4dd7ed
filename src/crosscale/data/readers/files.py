"""The files of a source, named by their place in it."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from crosscale.data.readers import Item
from crosscale.errors import CrosscaleError


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
