"""Progress of long work, shown by whoever calls it: the library tells, the command line draws."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Advance = Callable[[int], None]  # told how many more are done
# Opens a display of some work, by what is done and how much of it there is.
Display = Callable[[str, int | None], AbstractContextManager[Advance]]
_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def displayed_by(display: Display | None) -> Iterator[None]:
    """Let a display, or none, show what is told within."""
    before = _display.set(display)
    try:
        yield
    finally:
        _display.reset(before)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """Tell of some work while it is done; gives what is to be called with each number done.

    Args:
        what: is done, in a word or two.
        total: how much there is; None where it cannot be counted.
    """
    display = _display.get()
    if display is None:
        yield lambda done: None
    else:
        with display(what, total) as advance:
            yield advance


def tracked(
    items: Iterable[T], what: str, total: int, count: Callable[[T], int] = lambda item: 1
) -> Generator[T, None, None]:
    """The same items, told of as they are done.

    Args:
        items: of the work.
        what: is done with them.
        total: what all of them count.
        count: of an item.
    """
    with progress(what, total) as advance:
        for item in items:
            yield item
            advance(count(item))
