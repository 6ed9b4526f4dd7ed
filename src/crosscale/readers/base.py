"""What a reader is: it finds recordings, and turns each into a clip."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from crosscale.data.clip import Clip
from crosscale.skeleton.layout import Layout


@dataclass(frozen=True, order=True)
class Item:
    """One recording to be read: cheap to list, cheap to hand to another process.

    Attributes:
        name: the clip's name.
        path: the file that holds it.
        index: its place in the file when the file holds many.
        left_out: why it is left out on purpose (e.g. it stands on the official list of samples
            with missing skeletons); such an item is counted and not read, and is no fault.
    """

    name: str
    path: Path
    index: int = 0
    left_out: str = ""


class Reader(Protocol):
    """Turns one kind of source into clips.

    Readers are small frozen dataclasses whose fields are their options, so that they travel to
    worker processes. A reader that needs a large file keeps it open by itself (a cached function
    of its module), not in a field.

    A reader of clips with a `frame_rate` that no file says has it as an attribute; whoever prepares
    clips may say another.

    A reader whose class has a method `recognises(source)`, which tells how one sees that a source
    is of its format, or gives None, is asked by `crosscale prepare auto` too.
    """

    @property
    def name(self) -> str:
        """The kind of data set (`ntu60`, `nwucla` ...), which decides the protocols."""

    @property
    def layout(self) -> str | Layout:
        """The layout whose joint order the clips have, or its name or path."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """All class names in official order, or None to take those that the clips have."""

    def find(self, source: Path) -> list[Item]:
        """The recordings below `source`, sorted by name.

        Raises:
            CrosscaleError: when `source` is missing, empty or has nothing of this format.
        """

    def read(self, item: Item) -> Clip:
        """Read one recording.

        Raises:
            BadClip: when it cannot be used, naming the file and the place in it.
        """


@runtime_checkable
class FromSource(Protocol):
    """A reader that must see the source to know its layout, or what its numbers mean."""

    def for_source(self, source: Path) -> Reader:
        """The reader for the recordings below `source`.

        Raises:
            CrosscaleError: as `find`, or when the source does not tell.
        """


def fitted(reader: Reader, source: Path) -> Reader:
    """The reader, after a look at the source if it needs one; its layout is then known.

    Raises:
        CrosscaleError: when the source is missing, or does not tell what the reader must know.
    """
    return reader.for_source(source) if isinstance(reader, FromSource) else reader


class OwnRecordings:
    """Recordings of one's own, whose classes are those that the clips have."""

    name: ClassVar[str] = "own"
    classes: ClassVar[tuple[str, ...] | None] = None
