"""Reading many recordings on all cores: in order, in little memory, and cleanly stopped."""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Reader
from crosscale.utils.cluster import over_cluster
from crosscale.utils.processes import cores, in_processes
from crosscale.utils.stopping import stop_asked

TRIAL = 32  # recordings read first, to see how long one takes
WORTH_PROCESSES = 10.0  # seconds of work ahead for which more processes are started
LARGEST_CHUNK = 8  # recordings handed to a process at once; bounds what a stop must wait for
PIECE = 64  # recordings handed to a process of a cluster at once; a piece costs milliseconds


@dataclass(frozen=True)
class Outcome:
    """What became of one recording: a clip, or the reason why there is none."""

    item: Item
    clip: Clip | None
    reason: str = ""


def read_all(
    reader: Reader, items: Sequence[Item], workers: int | None = None
) -> Generator[Outcome, None, None]:
    """Read recordings, in the order of `items`, whichever process finishes first.

    The first few are read here; more processes start when much work is left, since each takes a
    while to start and loads a source that is one large file anew.

    Args:
        reader: travels to each process.
        items: what to read.
        workers: processes at most; None takes one for each core.

    Raises:
        CrosscaleError: when a process is ended from outside, a recording vanishes, or `workers`
            is not positive.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise CrosscaleError(f"{workers} workers cannot read; give 1 or more")
    seconds = []
    for item in items[:TRIAL]:
        begin = time.perf_counter()
        outcome = _read_one(reader, item)
        seconds.append(time.perf_counter() - begin)
        yield outcome
    rest = items[TRIAL:]
    if workers > 1 and rest and median(seconds) * len(rest) > WORTH_PROCESSES:
        yield from _joined(in_processes(_Reading(reader), _pieces(rest, LARGEST_CHUNK), workers))
    else:
        yield from (_read_one(reader, item) for item in rest)


def read_over_cluster(reader: Reader, items: Sequence[Item]) -> Generator[Outcome, None, None]:
    """As `read_all`, by all machines of a Ray cluster, which must find the files where they are.

    Raises:
        CrosscaleError: as `read_all`, and as `crosscale.utils.cluster.over_cluster`.
    """
    yield from _joined(over_cluster(_Reading, (reader,), _pieces(items, PIECE)))


class _Reading:
    """A reader in another process."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __call__(self, items: Sequence[Item]) -> list[Outcome]:
        """What became of each of a few recordings."""
        return [_read_one(self._reader, item) for item in items]


def _pieces(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def _joined(
    parts: Generator[list[Outcome], None, None],
) -> Generator[Outcome, None, None]:
    with closing(parts):
        for outcomes in parts:
            yield from outcomes


def _read_one(reader: Reader, item: Item) -> Outcome:
    try:
        return Outcome(item, reader.read(item))
    except Exception as error:
        if stop_asked():
            raise KeyboardInterrupt from error
        return Outcome(item, None, _reason(item, error))


def _reason(item: Item, error: Exception) -> str:
    """Why a recording is skipped; raises where the error concerns more than this one."""
    if isinstance(error, BadClip | OSError) and _has_vanished(item, error):
        # More than this one may be gone, as when a network drive is cut off.
        raise CrosscaleError(
            f"{item.path} has vanished since it was found; see that all is there, start anew"
        ) from error
    if isinstance(error, BadClip):
        return str(error)
    if isinstance(error, CrosscaleError):
        raise error
    if isinstance(error, OSError):
        return f"{item.path}: {error.strerror or error}"
    # one odd file among 50,000 must not cost the others
    fault = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"{item.path}: is damaged in a way not foreseen ({fault})"


def _has_vanished(item: Item, error: Exception) -> bool:
    """Whether a recording is no more there; a link that never led anywhere still is."""
    is_absent = isinstance(error.__cause__ or error, FileNotFoundError)
    return is_absent and not os.path.lexists(item.path)
