"""The kind of data set that a reader's clips belong to: its name and its classes."""

from functools import cache
from typing import ClassVar


class NtuActions:
    """NTU RGB+D, which numbers its actions."""

    actions: ClassVar[int]

    @property
    def name(self) -> str:
        """Kind of data set."""
        return f"ntu{self.actions}"

    @property
    def classes(self) -> tuple[str, ...]:
        """A001, A002 ..."""
        return _numbered(self.actions)


@cache
def _numbered(actions: int) -> tuple[str, ...]:
    return tuple(f"A{action:03d}" for action in range(1, actions + 1))


class Published:
    """A published data set, all of whose recordings have one layout.

    Attributes:
        name: kind of data set.
        layout: name of the layout.
        classes: the actions, in the order of their numbers.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]


class OwnRecordings:
    """Recordings of one's own, whose classes are those that the clips have."""

    @property
    def name(self) -> str:
        """Kind of data set."""
        return "own"

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Those that the clips have."""
        return None
