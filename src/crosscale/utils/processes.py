"""Work spread over the machine's cores: in order, in little memory, and cleanly stopped."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from crosscale.errors import CrosscaleError
from crosscale.utils.stopping import leave_stopping_to_parent, stop_held_back

WAITING = 3  # pieces under way for each process; bounds the memory
Piece = TypeVar("Piece")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int
) -> Generator[Result, None, None]:
    """The result of each piece, in the order of the pieces, whichever process finishes first.

    Args:
        work: travels to the processes with each piece.
        pieces: a few are taken ahead of the results.
        workers: processes; 1 is this one.

    Raises:
        CrosscaleError: when a process is ended from outside.
    """
    if workers == 1:
        yield from map(work, pieces)
        return
    # A process forked from one with threads (BLAS, progress bar) may hang: start afresh.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), leave_stopping_to_parent)
    under_way: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            with stop_held_back():  # a process may start here
                under_way.append(pool.submit(work, piece))
            if len(under_way) == workers * WAITING:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise CrosscaleError(
            "a process was ended from outside (is memory short?); try --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
