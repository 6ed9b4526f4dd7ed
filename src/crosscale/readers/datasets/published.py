"""What the small published data sets share: a file a recording, whose path tells what it shows."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from crosscale.data.clip import Clip
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.files import ToldByFiles, paths_below, refuse_absent


def numbered(names: Sequence[str], first: int = 1) -> Mapping[int, str]:
    """Class names by their number, counted from `first`."""
    return MappingProxyType(dict(enumerate(names, first)))


class Published(ToldByFiles):
    """A published data set, all of whose recordings have one layout.

    Attributes:
        name: kind of data set.
        layout: name of the layout.
        actions: class names by the numbers that the data set gives them.
        frame_rate: frames a second, where it is the same for all.
        title: of the data set, for messages.
        files: what its files are and how they are called, for messages.
        form: of an item's name, with groups out of action, subject, camera and repetition.
        misnamed: what to say of a file whose name is of another form, or whose action is unknown.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    actions: ClassVar[Mapping[int, str]]
    frame_rate: ClassVar[float | None] = None
    title: ClassVar[str]
    files: ClassVar[str]
    form: ClassVar[re.Pattern[str]]
    misnamed: ClassVar[str]

    @property
    def classes(self) -> tuple[str, ...]:
        """The actions, in the order of their numbers."""
        return tuple(self.actions.values())

    def find(self, source: Path) -> list[Item]:
        """The files of the data set below `source`; see `Reader`."""
        refuse_absent(source)
        items = [Item(self.item_name(path), path) for path in paths_below(source, self.endings)]
        if not items:
            raise CrosscaleError(f"{source} has no {self.files}")
        return sorted(items)

    def read(self, item: Item) -> Clip:
        """Read one file; see `Reader`."""
        told = self.numbers(item)
        label = self.actions.get(told.pop("action", -1))
        if label is None:
            raise BadClip(f"{item.path.name}: {self.misnamed}")
        return self.bodies(item).clip(item.name, label=label, frame_rate=self.frame_rate, **told)

    def numbers(self, item: Item) -> dict[str, Any]:
        """Action, subject, camera and repetition, as the name tells them; none of a wrong one."""
        named = self.form.fullmatch(item.name)
        return {key: int(digits) for key, digits in named.groupdict().items()} if named else {}

    def bodies(self, item: Item) -> Bodies:
        """The bodies in a file whose name is right.

        Raises:
            BadClip: naming the file and the place in it.
        """
        raise NotImplementedError

    @classmethod
    def item_name(cls, path: Path) -> str:
        """What a clip is called, by its file."""
        return path.stem

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Its name, if it is of the form."""
        return f"is named as in {cls.title}" if cls.form.fullmatch(cls.item_name(path)) else None
