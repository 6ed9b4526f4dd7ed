"""CSV or Parquet tables in long form: a row for each joint in each frame.

Columns are `frame` (whole numbers), `joint` (a name), `x`, `y`, and where there are `z`, `person`,
`confidence`, `clip` (or `name`: several recordings in one file) and `label`; others do not matter.
Joints are matched by name with those of the layout. Without `--units` and `--up` the bodies tell
both, and whether y points down as in pictures.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from crosscale.data.detections import IMAGE_TO_Y_UP, Detections
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.by_name import joint_places
from crosscale.readers.files import files_below
from crosscale.readers.mocap.space import TURNS, UNITS, Units, Up, guessed
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.tables.long_file import ENDINGS, NEEDED, columns_of, open_long
from crosscale.skeleton.layout import Layout

LOOKED_AT = 8  # clips that tell units and axes


@dataclass(frozen=True)
class LongTable(Estimated):
    """Tables of one's own in long form: a row for each joint in each frame.

    Attributes:
        units: of coordinates in space; None takes what fits a body.
        up: the axis that points up; None takes the one along which people hold their torsos.
        guessed: what was guessed, for every clip.
    """

    units: Units | None = None
    up: Up | None = None
    guessed: tuple[str, ...] = ()

    endings = ENDINGS
    what = "tables in long form"

    def find(self, source: Path) -> list[Item]:
        """One item a clip of the tables below `source`, or of the one that it is.

        A table that cannot be read counts as one clip, so that it is skipped alone.

        Raises:
            CrosscaleError: when there are none.
        """
        items = []
        for item in files_below(source, ENDINGS, self.what):
            try:
                clips = open_long(item.path).clips if "clip" in columns_of(item.path) else ("",)
            except BadClip:
                clips = ("",)
            for index, clip in enumerate(clips):
                inside = clip if item.path == source else f"{item.name}/{clip}"
                items.append(Item(inside if clip else item.name, item.path, index))
        return sorted(items)

    def for_source(self, source: Path) -> "LongTable":
        """This reader with its layout, units and axes; see `Estimated`."""
        known = cast("LongTable", super().for_source(source))
        layout = Layout.of(known.layout)
        bodies: list[np.ndarray] = []
        for item in self.find(source):
            with suppress(BadClip):  # is skipped when its turn comes
                found = open_long(item.path).detections(item.index)
                bodies.append(found.joints[:, joint_places(layout, found.names, item.name)])
            if len(bodies) == LOOKED_AT:
                break
        if len({x.shape[-1] for x in bodies}) != 1:
            return known
        units, up, notes = guessed(bodies, layout, self.units, self.up)
        return replace(known, units=units, up=up, guessed=notes)

    def detections(self, item: Item) -> Detections:
        """One clip of a table; what is wrong is told with its line."""
        found = open_long(item.path).detections(item.index)
        size = found.joints.shape[-1]
        if size == 2 and self.up not in (None, "y", "-y"):
            raise BadClip(f"{item.path.name}: up is {self.up}, but joints have x and y only")
        if size == 2:
            joints = found.joints * (IMAGE_TO_Y_UP if self.up == "-y" else 1.0)
        else:
            turn = TURNS[self.up or "y"] * (UNITS[self.units] if self.units else 1.0)
            with np.errstate(invalid="ignore", over="ignore"):  # infinite ones count as missing
                joints = found.joints @ turn.T
        return replace(found, joints=joints, notes=(*found.notes, *self.guessed))

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The names of its columns."""
        with suppress(BadClip):
            columns_of(path)
            return f"has columns {', '.join(NEEDED)}"
        return None
