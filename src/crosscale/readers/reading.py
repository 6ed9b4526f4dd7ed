"""Reading many recordings on all cores: in order, in little memory, and cleanly stopped."""

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from statistics import median

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Reader
from crosscale.utils.cluster import over_cluster
from crosscale.utils.stopping import leave_stopping_to_parent, stop_asked, stop_held_back

TRIAL = 32  # recordings read first, to see how long one takes
WORTH_PROCESSES = 10.0  # seconds of work ahead for which more processes are started
LARGEST_CHUNK = 8  # recordings handed to a process at once; bounds what a stop must wait for
PIECE = 64  # recordings handed to a process of a cluster at once; a piece costs milliseconds
WAITING = 3  # chunks under way for each process; bounds the memory


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
    workers = _cores() if workers is None else workers
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
        yield from _read_in_processes(reader, rest, workers)
    else:
        yield from (_read_one(reader, item) for item in rest)


def read_over_cluster(reader: Reader, items: Sequence[Item]) -> Generator[Outcome, None, None]:
    """As `read_all`, by all machines of a Ray cluster, which must find the files where they are.

    Raises:
        CrosscaleError: as `read_all`, and as `crosscale.utils.cluster.over_cluster`.
    """
    pieces = [items[i : i + PIECE] for i in range(0, len(items), PIECE)]
    with closing(over_cluster(_Reading, (reader,), pieces)) as parts:
        for outcomes in parts:
            yield from outcomes


class _Reading:
    """A reader in a process of a cluster."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __call__(self, items: Sequence[Item]) -> list[Outcome]:
        """What became of each of a few recordings."""
        return _read_chunk(self._reader, items)


def _read_in_processes(
    reader: Reader, items: Sequence[Item], workers: int
) -> Generator[Outcome, None, None]:
    chunks = [items[i : i + LARGEST_CHUNK] for i in range(0, len(items), LARGEST_CHUNK)]
    # a process forked from one with threads (BLAS, progress bar) may hang: start afresh
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=leave_stopping_to_parent)
    under_way: deque[Future[list[Outcome]]] = deque()
    try:
        for chunk in chunks:
            with stop_held_back():  # a process may start here
                under_way.append(pool.submit(_read_chunk, reader, chunk))
            if len(under_way) == workers * WAITING:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    except BrokenProcessPool as error:
        raise CrosscaleError(
            "a reading process was ended from outside (is memory short?); try --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _read_chunk(reader: Reader, items: Sequence[Item]) -> list[Outcome]:
    return [_read_one(reader, item) for item in items]


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


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
