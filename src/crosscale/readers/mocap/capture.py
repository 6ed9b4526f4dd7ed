"""What readers of motion-capture files share: joints by name, gaps, units and axes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from crosscale.data.clip import Clip
from crosscale.data.gaps import SHORT_GAP
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, OwnRecordings
from crosscale.readers.bodies import repaired
from crosscale.readers.by_name import NamedJoints, joint_places
from crosscale.readers.files import files_below
from crosscale.readers.mocap.space import (
    TURNS,
    UNITS,
    Units,
    Up,
    height_of,
    likely_unit,
    likely_up,
    torsos_of,
)
from crosscale.skeleton.layout import Layout

LOOKED_AT = 8  # files of a source, and frames of each, that tell units and axes
FRAMES_LOOKED_AT = 200
GAP_SECONDS = 0.5


@dataclass(frozen=True)
class Take:
    """One file, before anything is made of it.

    Attributes:
        names: V joints or markers, as the file calls them.
        bodies: ids of the M bodies.
        joints: (T, M, V, 3) in the file's unit and axes, NaN where missing.
        frame_rate: frames a second, None when the file does not say it.
        metres: length of the file's unit, None when it does not say it.
        parents: index of each joint's parent, the root's its own; empty for markers.
    """

    names: tuple[str, ...]
    bodies: tuple[str, ...]
    joints: np.ndarray
    frame_rate: float | None
    metres: float | None = None
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class Capture(OwnRecordings):
    """Recordings whose files name their joints, in units and axes of their own.

    Attributes:
        layout: whose joints are taken, by name.
        units: of the coordinates; None takes what the files say, or what fits a body.
        up: the axis that points up; None takes the one along which people hold their torsos.
        notes: what was guessed, for every clip.
    """

    layout: str | Layout = ""
    units: Units | None = None
    up: Up | None = None
    notes: tuple[str, ...] = ()

    endings: ClassVar[tuple[str, ...]]
    what: ClassVar[str]

    def take(self, path: Path) -> Take:
        """Read one file.

        Raises:
            BadClip: naming the file and the place in it.
        """
        raise NotImplementedError

    def layout_for(self, take: Take) -> Layout:
        """The layout of a source that begins with this take.

        Raises:
            CrosscaleError: when there is none.
        """
        return Layout.of(self.layout)

    def joints_in(self, source: Path) -> NamedJoints:
        """Joints or markers of the first file of a source that can be read.

        Raises:
            CrosscaleError: when there is none.
        """
        take = self._looked_at(self.find(source))[0]
        edges = [(take.names[up], name) for up, name in zip(take.parents, take.names, strict=False)]
        return NamedJoints(take.names, tuple(edge for edge in edges if edge[0] != edge[1]))

    def find(self, source: Path) -> list[Item]:
        """The files below `source`, or the one that it is.

        Raises:
            CrosscaleError: when there are none.
        """
        return files_below(source, self.endings, self.what)

    def for_source(self, source: Path) -> "Capture":
        """This reader with layout, units and axes that a look at some files tells.

        Raises:
            CrosscaleError: when none of them can be read, or the names of the joints do not tell
                what they are.
        """
        takes = self._looked_at(self.find(source))
        layout = self.layout_for(takes[0])
        placed = []
        for take in takes:
            try:
                placed.append(replace(take, joints=_selected(take, layout, "")))
            except BadClip:
                continue  # is skipped when its turn comes
        if not placed:
            _selected(takes[0], layout, f"the recordings in {source}")
        return self._guessed(placed, layout)

    def read(self, item: Item) -> Clip:
        """Read one file.

        Raises:
            BadClip: naming the file and what is wrong with it.
        """
        if not isinstance(self.layout, Layout):
            return self.for_source(item.path).read(item)
        take = self.take(item.path)
        where = item.path.name
        joints = _selected(take, self.layout, where)
        longest = round(GAP_SECONDS * take.frame_rate) if take.frame_rate else SHORT_GAP
        found = repaired(joints, take.bodies, self.layout.joints, where, longest)
        metres = take.metres if self.units is None else UNITS[self.units]
        if metres is None:
            raise BadClip(f"{where}: does not say its unit, while others do; give it with --units")
        turn = TURNS[self.up or "y"] * metres
        return Clip(
            name=item.name,
            coordinates=found.coordinates @ turn.T,
            bodies=found.ids,
            frame_rate=take.frame_rate,
            notes=(*found.notes, *self.notes),
        )

    def _looked_at(self, items: Sequence[Item]) -> list[Take]:
        takes, fault = [], None
        for i in np.unique(np.linspace(0, len(items) - 1, LOOKED_AT).astype(int)):
            try:
                takes.append(self.take(items[i].path))
            except BadClip as error:
                fault = fault or error
        for item in () if takes else items:
            try:
                return [self.take(item.path)]
            except BadClip as error:
                fault = fault or error
        if not takes:
            raise CrosscaleError(f"none of the {len(items)} recordings can be used; {fault}")
        return takes

    def _guessed(self, takes: Sequence[Take], layout: Layout) -> "Capture":
        notes = []
        units, up = self.units, self.up
        frames = [_some_frames(take) for take in takes]
        if units is None and any(take.metres is None for take in takes):
            units = likely_unit([height_of(x) for x in frames])
            notes.append(f"units are not said and taken to be {units}")
        if up is None:
            torsos = np.concatenate([torsos_of(x, layout) for x in frames])
            up = likely_up(torsos)
            if up != "y":
                notes.append(f"axes turned so that y is up instead of {up}")
        return replace(self, layout=layout, units=units, up=up, notes=tuple(notes))


@dataclass(frozen=True)
class Markers(Capture):
    """Recordings of markers; the joints of the layout are their labels.

    Attributes:
        layout: by default the common markers of Vicon's Plug-in Gait.
    """

    layout: str | Layout = "plugingait"


def _selected(take: Take, layout: Layout, where: str) -> np.ndarray:
    """(T, M, V, 3) of the layout's joints."""
    return take.joints[:, :, joint_places(layout, take.names, where)]


def _some_frames(take: Take) -> np.ndarray:
    """(N, V, 3) of bodies in frames over the whole take that show all joints, or most."""
    joints = take.joints
    chosen = np.unique(np.linspace(0, len(joints) - 1, FRAMES_LOOKED_AT).astype(int))
    return joints[chosen].reshape(-1, *joints.shape[2:])
