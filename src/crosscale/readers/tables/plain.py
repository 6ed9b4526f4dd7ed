"""A plain `npz` that anybody can write with `np.savez`, of one clip or of many.

    one clip    coordinates (T, V, 3) or (T, M, V, 3); the file's place is the clip's name
    many clips  names (N,), and
                coordinates (N, T, V, 3) or (N, T, M, V, 3) with lengths (N,), or, one clip after
                the other, coordinates (rows, V, 3) or (rows, M, V, 3) with frames (N,)

Coordinates are metres, NaN where a body is absent. All else may be left out: label, subject,
camera, setup, repetition, frame_rate and part ("train" or "test"), with an s at the end for many
clips; layout, the name of the layout; classes, the names that numbers in the labels stand for.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscale.data.bodies import refuse_far
from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.by_name import known_layout
from crosscale.readers.files import RecordingFiles, faults_named
from crosscale.readers.tables.numbered import class_names
from crosscale.readers.tables.plain_file import PlainFile, open_plain
from crosscale.utils.arrayfiles import names_in
from crosscale.utils.text import shown


@dataclass(frozen=True)
class Plain(RecordingFiles):
    """Clips in `npz` files of one's own.

    Attributes:
        layout: layout of the joints.
    """

    layout: str = "ntu25"

    endings = (".npz",)
    what = "npz files"

    def find(self, source: Path) -> list[Item]:
        """The clips of the `npz` files below `source`, or of the one that it is.

        A file that cannot be opened counts as one clip, so that it is skipped alone.

        Raises:
            CrosscaleError: when there are none, or labels are wrong.
        """
        items, opened = [], []
        for found in super().find(source):
            try:
                file = open_plain(found.path)
            except CrosscaleError:
                if found.path == source:
                    raise
                items.append(found)
                continue
            # a clip alone in its file is called by the file's place, which tells folders apart
            names = [found.name] if file.names == [found.path.stem] else file.names
            items += [Item(name, found.path, index) for index, name in enumerate(names)]
            opened.append(file)
        _check_labels(source, opened)
        return sorted(items)

    def read(self, item: Item) -> Clip:
        """Take one clip out of its file; see `Reader`."""
        try:
            file = open_plain(item.path)
        except CrosscaleError as error:
            raise BadClip(str(error)) from error
        expected = known_layout(self.layout).name
        if file.layout not in (None, expected):
            raise BadClip(
                f"{item.path.name}: says that its layout is {shown(file.layout)}, not {expected}; "
                f"name it with --layout {shown(file.layout)}"
            )
        coordinates = file.clip(item.index)
        there = np.flatnonzero(~np.isnan(coordinates).all(axis=(0, 2, 3)))
        if len(there):
            coordinates = coordinates[:, there]
        with faults_named(item.path):
            refuse_far(coordinates, shown(item.name))
            return Clip(
                name=item.name,
                coordinates=coordinates,
                bodies=tuple(str(body) for body in range(coordinates.shape[1])),
                **{key: values[item.index] for key, values in file.columns.items()},
            )

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The names of its arrays."""
        return "has an array coordinates" if "coordinates" in names_in(path) else None


def _check_labels(source: Path, files: list[PlainFile]) -> None:
    """Numbers must make sense over all files, since they name the classes of one data set."""
    if any(file.classes for file in files):
        return
    labels = [file.labels for file in files if file.labels is not None]
    kinds = {part.dtype.kind in "US" for part in labels}
    if len(kinds) > 1:
        raise CrosscaleError(f"{source}: labels are names in some files and numbers in others")
    if labels:
        class_names(np.concatenate(labels), str(source))
