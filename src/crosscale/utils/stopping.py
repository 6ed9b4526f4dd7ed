"""What Ctrl-C does, and SIGTERM, which clusters send before they kill."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

_asked = False


def stop_asked() -> bool:
    """Whether the command that runs has been asked to stop.

    Compiled code that a signal arrives in may put an error of its own in place of
    KeyboardInterrupt. Whoever takes an error for damage asks here first.
    """
    return _asked


@contextmanager
def signals_stop() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt as Ctrl-C does, and note that either came."""
    global _asked
    _asked = False
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may, and only it is told of signals
        return

    def stop(number: int, frame: FrameType | None) -> None:
        global _asked
        _asked = True
        raise KeyboardInterrupt

    stopping = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in the background of a shell
        stopping.append(signal.SIGINT)
    with _handled_by(stop, stopping):
        yield


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question that the loop asks between steps."""
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    with _handled_by(note, (signal.SIGINT, signal.SIGTERM)):
        yield lambda: asked


@contextmanager
def goes_on_by_itself() -> Iterator[None]:
    """Say of what is stopped within that the same command goes on with it."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("the same command goes on with it") from error


@contextmanager
def stop_held_back() -> Iterator[None]:
    """Ctrl-C waits until the block ends; a process started inside never sees it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_stopping_to_parent() -> None:
    """Ctrl-C reaches all processes of a terminal; only the parent acts on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], None], signals: Iterable[signal.Signals]
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
