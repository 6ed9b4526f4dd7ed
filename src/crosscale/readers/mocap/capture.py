"""What readers of motion-capture files share: joints by name, gaps, units and axes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosscale.data.bodies import refuse_far, repaired
from crosscale.data.clip import Clip
from crosscale.data.gaps import GAP_SECONDS, SHORT_GAP
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.by_name import NamedJoints, joint_places
from crosscale.readers.files import RecordingFiles, first_read
from crosscale.readers.mocap.space import TURNS, UNITS, Units, Up, guessed
from crosscale.skeleton.layout import Layout

LOOKED_AT = 8  # files of a source, and frames of each, that tell units and axes
FRAMES_LOOKED_AT = 200


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
        notes: what was repaired already.
    """

    names: tuple[str, ...]
    bodies: tuple[str, ...]
    joints: np.ndarray
    frame_rate: float | None
    metres: float | None = None
    parents: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Capture(RecordingFiles):
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
        """Joints or markers of the first file that can be read; see `TellsJoints`."""
        take = first_read(self.find(source), lambda item: self.take(item.path))
        edges = [(take.names[up], name) for up, name in zip(take.parents, take.names, strict=False)]
        return NamedJoints(take.names, tuple(edge for edge in edges if edge[0] != edge[1]))

    def for_source(self, source: Path) -> "Capture":
        """This reader with layout, units and axes that a look at some files tells.

        Raises:
            CrosscaleError: when none of them can be read, or the names of the joints do not tell
                what they are.
        """
        takes = self._looked_at(self.find(source))
        layout = self.layout_for(takes[0])
        bodies, metres = [], []
        for take in takes:
            with suppress(BadClip):  # is skipped when its turn comes
                bodies.append(_some_bodies(_selected(take, layout, "")))
                metres.append(take.metres)
        if not bodies:
            _selected(takes[0], layout, f"the recordings in {source}")
        said = None not in metres
        units, up, notes = guessed(bodies, layout, self.units, self.up, said=said)
        return replace(self, layout=layout, units=units, up=up, notes=notes)

    def read(self, item: Item) -> Clip:
        """Read one file; see `Reader`."""
        if not isinstance(self.layout, Layout):
            return self.for_source(item.path).read(item)
        take = self.take(item.path)
        where = item.path.name
        metres = take.metres if self.units is None else UNITS[self.units]
        if metres is None:
            raise BadClip(f"{where}: does not say its unit, while others do; give it with --units")
        joints = _selected(take, self.layout, where)
        refuse_far(joints, where)
        with np.errstate(invalid="ignore", over="ignore"):  # see `placed`
            joints = joints @ (TURNS[self.up or "y"] * metres).T
        longest = round(GAP_SECONDS * take.frame_rate) if take.frame_rate else SHORT_GAP
        found = repaired(joints, take.bodies, self.layout.joints, where, longest)
        found = replace(found, notes=(*take.notes, *found.notes, *self.notes))
        return found.clip(item.name, frame_rate=take.frame_rate)

    def _looked_at(self, items: Sequence[Item]) -> list[Take]:
        """Takes over all of the source that can be read, or the first that can."""
        takes = []
        for i in np.unique(np.linspace(0, len(items) - 1, LOOKED_AT).astype(int)):
            with suppress(BadClip):
                takes.append(self.take(items[i].path))
        return takes or [first_read(items, lambda item: self.take(item.path))]


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


def _some_bodies(joints: np.ndarray) -> np.ndarray:
    """(B, V, 3) of bodies in frames over all of a take (T, M, V, 3)."""
    chosen = np.unique(np.linspace(0, len(joints) - 1, FRAMES_LOOKED_AT).astype(int))
    return joints[chosen].reshape(-1, *joints.shape[2:])


def rate_of(said: str | float) -> float | None:
    """Frames a second as a file says them, None when that is no number above 0."""
    try:
        rate = float(said)
    except ValueError:
        return None
    return rate if np.isfinite(rate) and rate > 0 else None
