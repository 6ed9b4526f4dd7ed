"""A plain `npz` that anybody can write with `np.savez`, of one clip or of many.

    one clip    coordinates (T, V, 3) or (T, M, V, 3); the file's place is the clip's name
    many clips  names (N,), and
                coordinates (N, T, V, 3) or (N, T, M, V, 3) with lengths (N,), or, one clip after
                the other, coordinates (rows, V, 3) or (rows, M, V, 3) with frames (N,)

Coordinates are metres with y up, unless `units` and `up` say otherwise, NaN where a body or a joint
is missing. All else may be left out: label, subject, camera, setup, repetition, frame_rate and part
("train" or "test"), with an s at the end for many clips; layout, the name of the layout; classes,
the names that numbers in the labels stand for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from crosscale.data.bodies import with_gaps_filled
from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.files import RecordingFiles, faults_named
from crosscale.readers.mocap.space import InUnits
from crosscale.readers.tables.numbered import class_names, refuse_shifted
from crosscale.readers.tables.plain_file import PlainFile, open_plain
from crosscale.skeleton.layout import Layout, builtin_layouts
from crosscale.utils.arrayfiles import names_in
from crosscale.utils.text import shown

USUAL = "ntu25"  # the layout of files that say none
LOOKED_AT = 8  # files that may say it for all
CROWD = 8  # bodies; more of them than frames are frames given in the place of bodies


@dataclass(frozen=True)
class Plain(InUnits, RecordingFiles):
    """Clips in `npz` files of one's own.

    Attributes:
        layout: of the joints; empty takes the one that the files say.
    """

    layout: str | Layout = ""

    endings = (".npz",)
    what = "npz files"

    def find(self, source: Path) -> list[Item]:
        """The clips of the `npz` files below `source`, or of the one that it is.

        A file that cannot be opened counts as one clip, so that it is skipped alone.

        Raises:
            CrosscaleError: when there are none, or labels are wrong.
        """
        items: list[Item] = []
        opened: dict[Path, PlainFile] = {}
        for found, file in _opened(super().find(source), source):
            if file is None:
                items.append(found)
                continue
            # a clip alone in its file is called by the file's place, which tells folders apart
            names = [found.name] if file.names == [found.path.stem] else file.names
            items += [Item(name, found.path, index) for index, name in enumerate(names)]
            opened[found.path] = file
        _check_labels(source, opened)
        return sorted(items)

    def for_source(self, source: Path) -> "Plain":
        """This reader with its layout, by default the one that the files say.

        Raises:
            CrosscaleError: when they say one that is not built in.
        """
        files = (file for _, file in _opened(super().find(source), source) if file)
        said = (file.layout for file in islice(files, LOOKED_AT) if file.layout)
        name = self.layout or next(said, USUAL)
        if not self.layout and name not in builtin_layouts():
            raise CrosscaleError(
                f"{source}: files say that their layout is {shown(name)}, which is not built in; "
                "give its YAML file with --layout"
            )
        return replace(self, layout=Layout.of(name))

    def read(self, item: Item) -> Clip:
        """Take one clip out of its file; see `Reader`."""
        try:
            file = open_plain(item.path)
        except CrosscaleError as error:
            raise BadClip(str(error)) from error
        if not isinstance(self.layout, Layout):
            return self.for_source(item.path).read(item)
        if file.layout not in (None, self.layout.name):
            raise BadClip(
                f"{item.path.name}: says that its layout is {shown(file.layout)}, not "
                f"{self.layout.name}; name it with --layout {shown(file.layout)}"
            )
        coordinates = file.clip(item.index)
        frames, bodies = coordinates.shape[:2]
        if bodies > max(frames, CROWD):
            raise BadClip(
                f"{shown(item.name)}: {frames} frames of {bodies} bodies; coordinates are "
                "(frames, bodies, joints, 3), so swap the first two axes"
            )
        there = np.flatnonzero(~np.isnan(coordinates).all(axis=(0, 2, 3)))
        if len(there):
            coordinates = coordinates[:, there]
        fields = {key: values[item.index] for key, values in file.columns.items()}
        rate = fields.get("frame_rate")
        with faults_named(item.path):
            found = with_gaps_filled(coordinates, self.layout.joints, shown(item.name), rate)
            found = replace(found, coordinates=self.placed(found.coordinates))
            return found.clip(item.name, **fields)

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The names of its arrays."""
        return "has an array coordinates" if "coordinates" in names_in(path) else None


def _opened(items: Sequence[Item], source: Path) -> Iterator[tuple[Item, PlainFile | None]]:
    """Files with what they hold, None for one that cannot be opened and is not the source."""
    for item in items:
        try:
            file = open_plain(item.path)
        except CrosscaleError:
            if item.path == source:
                raise
            file = None
        yield item, file


def _check_labels(source: Path, files: Mapping[Path, PlainFile]) -> None:
    """Numbers must make sense over all files, since they name the classes of one data set."""
    if any(file.classes for file in files.values()):
        return
    parts: dict[str, np.ndarray] = {}
    for path, file in files.items():
        if file.labels is None:
            continue
        told = np.array(file.columns.get("part", [""] * len(file.names)))
        of = {part: file.labels[told == part] for part in dict.fromkeys(told.tolist())}
        parts |= {f"{path}{', part ' * bool(part)}{part}": own for part, own in of.items()}
    labels = list(parts.values())
    refuse_shifted(parts)
    kinds = {part.dtype.kind in "US" for part in labels}
    if len(kinds) > 1:
        raise CrosscaleError(f"{source}: labels are names in some files and numbers in others")
    if labels:
        class_names(np.concatenate(labels), str(source))
