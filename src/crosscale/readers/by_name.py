"""Joints of a file matched by name with those of a layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from crosscale.errors import BadClip, CrosscaleError
from crosscale.skeleton.joint_names import find_joints
from crosscale.skeleton.layout import Layout, builtin_layouts
from crosscale.utils.text import listed, shown

LONGEST = 600  # characters of a list of names in a message


@dataclass(frozen=True)
class NamedJoints:
    """Joints as a file calls them.

    Attributes:
        names: of all of them.
        edges: names of those that hang together, (parent, child), where the file tells.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[str, str], ...] = ()


@runtime_checkable
class TellsJoints(Protocol):
    """A reader of files that name their joints."""

    def joints_in(self, source: Path) -> NamedJoints:
        """Those of the first recording of a source that can be read.

        Raises:
            CrosscaleError: when there is none.
        """


def joint_places(layout: Layout, names: Sequence[str], where: str) -> list[int]:
    """Places in `names` of the layout's joints.

    Args:
        layout: whose joints are wanted.
        names: as the file has them.
        where: the file, for the message.

    Raises:
        BadClip: when some are not there; names them, those there, and the layout that would fit.
    """
    places = find_joints(layout.joints, names)
    if lacking := [j for j, at in zip(layout.joints, places, strict=True) if at is None]:
        other = builtin_with(names)
        remedy = "Write a layout of such names and give it with --layout"
        if other is not None:
            remedy = f"They are those of {other.name}: prepare it apart, with --layout {other.name}"
        raise BadClip(
            f"{where} lacks {shown(listed(lacking, 10), LONGEST)} of layout {layout.name}; it has "
            f"{shown(listed(names, 60), LONGEST)}. {remedy}"
        )
    return [at for at in places if at is not None]


def fitting_layout(names: Sequence[str], source: Path) -> Layout:
    """The built-in layout with most of the joints of these names.

    Args:
        names: as the files of the source have them.
        source: for the message.

    Raises:
        CrosscaleError: when none has its joints among them; tells how to make one.
    """
    layout = builtin_with(names)
    if layout is None:
        raise CrosscaleError(
            f"{source} has joints of no built-in layout: {shown(listed(names, 60), LONGEST)}. "
            f"Complete a layout begun with `crosscale layout start {source} --out my.yaml` and "
            "give it with --layout"
        )
    return layout


def builtin_with(names: Sequence[str]) -> Layout | None:
    """The built-in layout of most joints that are all among the names, if there is one."""
    layouts = map(Layout.load, builtin_layouts())
    fitting = [one for one in layouts if None not in find_joints(one.joints, names)]
    return max(fitting, key=lambda one: len(one.joints), default=None)


@lru_cache(maxsize=8)
def known_layout(name: str) -> Layout:
    """A layout by its name or path; a process reads a file once."""
    return Layout.load(name)
