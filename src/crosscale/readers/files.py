"""The files of a source, named by their place in it."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from itertools import islice
from pathlib import Path
from typing import ClassVar, TypeVar

from crosscale.errors import BadClip, CrosscaleError, readable
from crosscale.readers.base import Item, OwnRecordings
from crosscale.utils.text import none_can

BEGINNING = 1 << 16  # bytes of a file that are looked at to tell its format
GZIP = ".gz"
LARGEST_UNPACKED = 1 << 30  # bytes of text; a small file that unpacks to more is no recording
T = TypeVar("T")


class ToldByFiles:
    """A format that shows in its files: what `crosscale prepare auto` goes by.

    Attributes:
        endings: of the files' names, lower case, such as `.bvh`.
        looked_at: files of each ending that are looked at.
    """

    endings: ClassVar[tuple[str, ...]]
    looked_at: ClassVar[int] = 3

    @classmethod
    def recognises(cls, source: Path) -> str | None:
        """How one sees that a source is of this format, or None."""
        for path in _of_each(source, cls.endings, cls.looked_at):
            if sign := cls.sign(path):
                return f"{path.name} {sign}"
        return None

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """What in a file tells the format, such as "begins with HIERARCHY"."""
        raise NotImplementedError


class RecordingFiles(ToldByFiles, OwnRecordings):
    """Recordings of one's own, a file each.

    Attributes:
        what: the files are, for messages.
    """

    what: ClassVar[str]

    def find(self, source: Path) -> list[Item]:
        """The files below `source`, or the one that it is; see `Reader`."""
        return files_below(source, self.endings, self.what)


def refuse_absent(source: Path) -> None:
    """Refuse a source that is not there.

    Raises:
        CrosscaleError: naming it.
    """
    if not source.exists():
        raise CrosscaleError(f"{source} does not exist")


def files_below(source: Path, endings: Sequence[str], what: str) -> list[Item]:
    """The files below a folder that end so, or the one file that is given.

    Args:
        source: a folder or a file.
        endings: of file names, lower case, such as `.bvh`.
        what: the files are, for the message.

    Returns:
        One item a file, sorted; its name is its path below `source` without the ending, and
        without `.gz` behind it.

    Raises:
        CrosscaleError: when there are none.
    """
    refuse_absent(source)
    if source.is_file():
        return [Item(_unpacked_name(source).stem, source)]
    found = [
        Item(_unpacked_name(path.relative_to(source)).with_suffix("").as_posix(), path)
        for path in paths_below(source, endings)
    ]
    if not found:
        raise CrosscaleError(f"{source} has no {what} ({', '.join(endings)})")
    return sorted(found)


def _unpacked_name(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == GZIP else path


def paths_below(source: Path, endings: Sequence[str] = ("",)) -> Iterator[Path]:
    """The files below a folder that end so, in a fixed order; or the file itself, if it does.

    Links to folders are followed, but not in circles. What systems leave behind is passed over:
    names with a point in front (`.DS_Store`, `._walk.bvh`), and the folder `__MACOSX`.

    Raises:
        CrosscaleError: when a folder cannot be looked into.
    """
    ends = tuple(endings)
    if not source.is_dir():
        yield from [source] if source.name.lower().endswith(ends) else []
        return
    folders: list[tuple[Path, frozenset[tuple[int, int]]]] = [(source, frozenset())]
    while folders:
        folder, above = folders.pop()
        with _looking_into(folder):
            told = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        if (here := (told.st_dev, told.st_ino)) in above:
            continue
        meant = [entry for entry in entries if is_meant(entry.name)]
        inside = [entry for entry in meant if entry.is_dir()]
        folders += [(folder / entry.name, above | {here}) for entry in reversed(inside)]
        for entry in meant:
            if entry not in inside and entry.name.lower().endswith(ends):
                yield folder / entry.name


def is_meant(name: str) -> bool:
    """Whether a file or folder is one of the user's, and none that a system left behind."""
    return not name.startswith(".") and name != "__MACOSX"


@contextmanager
def _looking_into(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CrosscaleError(f"{folder} cannot be looked into: {error.strerror}") from error


def some_files(source: Path, endings: Sequence[str], most: int = 3) -> list[Path]:
    """A few files below a source that end so, without listing all of it; none is no fault."""
    return list(islice(paths_below(source, endings), most))


def _of_each(source: Path, endings: tuple[str, ...], most: int) -> Iterator[Path]:
    """As `some_files`, so many of each ending."""
    found = dict.fromkeys(endings, 0)
    for path in paths_below(source, endings):
        ending = next(ending for ending in endings if path.name.lower().endswith(ending))
        found[ending] += 1
        if found[ending] <= most:
            yield path
        elif min(found.values()) >= most:
            return


def beginning(path: Path) -> bytes:
    """The first bytes of a file, unpacked if it ends in `.gz`, in which its format shows.

    Raises:
        BadClip: when it cannot be unpacked.
    """
    if path.suffix.lower() == GZIP:
        return _unpacked(path, BEGINNING)
    with path.open("rb") as file:
        return file.read(BEGINNING)


def _unpacked(path: Path, most: int) -> bytes:
    """The first so many bytes of what a file packs."""
    data = bytearray()
    try:
        with gzip.open(path) as file:
            while len(data) < most and (piece := file.read(min(BEGINNING, most - len(data)))):
                data += piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadClip(f"cannot be unpacked ({error}); is it cut off?") from None
    return bytes(data)


def first_read(items: Sequence[Item], read: Callable[[Item], T]) -> T:
    """What the first recording gives that can be read.

    Raises:
        CrosscaleError: when none can; tells what is wrong with the first.
    """
    fault = None
    for item in items:
        try:
            return read(item)
        except BadClip as error:
            fault = fault or error
    raise CrosscaleError(f"{none_can(len(items), 'recording')} be used; {fault}")


def kept_open(most: int) -> Callable[[Callable[[Path], T]], Callable[[Path], T]]:
    """Let a function that opens a file remember the last few, unless they have changed since.

    Args:
        most: files that are remembered.

    Returns:
        A decorator. What it makes raises BadClip, naming the file, when it cannot be read.
    """

    def decorated(open_file: Callable[[Path], T]) -> Callable[[Path], T]:
        @lru_cache(maxsize=most)
        def opened(path: Path, changed: int) -> T:
            return open_file(path)

        @wraps(open_file)
        def remembered(path: Path) -> T:
            try:
                return opened(path, path.stat().st_mtime_ns)
            except OSError as error:
                raise BadClip(f"{path} cannot be read: {error.strerror}") from error

        return remembered

    return decorated


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
    """Lines of a text file; what is no text becomes a sign that no number has.

    Raises:
        BadClip: when it ends in `.gz` and cannot be unpacked.
    """
    packed = path.suffix.lower() == GZIP
    data = _unpacked(path, LARGEST_UNPACKED + 1) if packed else path.read_bytes()
    if packed and len(data) > LARGEST_UNPACKED:
        raise BadClip(f"unpacks to more than {LARGEST_UNPACKED >> 20} MB, which no recording has")
    return readable(data.decode("utf-8-sig", errors="replace")).splitlines()
