"""A plain `npz` that anybody can write with `np.savez`, of one clip or of many.

    one clip    coordinates (T, V, 3) or (T, M, V, 3); the file's place is the clip's name
    many clips  names (N,), and
                coordinates (N, T, V, 3) or (N, T, M, V, 3) with lengths (N,), or, one clip after
                the other, coordinates (rows, V, 3) or (rows, M, V, 3) with frames (N,)

Coordinates are metres with y up, unless `units` and `up` say otherwise, NaN where a body or a joint
is missing. In a picture a joint has two numbers in place of three, NaN or 0 0 where it is missing,
and the bodies tell whether y points down. All else may be left out: label, subject, camera, setup,
repetition, frame_rate and part ("train" or "test"), with an s at the end for many clips; layout,
the name of the layout; classes, the names that numbers in the labels stand for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.bodies import refuse_far, with_gaps_filled
from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.files import RecordingFiles, faults_named
from crosscale.readers.mocap.space import InUnits, up_in_pictures
from crosscale.readers.tables.numbered import class_names, refuse_no_text, refuse_shifted
from crosscale.skeleton.layout import Layout, builtin_layouts
from crosscale.utils.arrayfiles import names_in, open_arrays, release
from crosscale.utils.text import shown

USUAL = "ntu25"  # the layout of files that say none
LOOKED_AT = 8  # files that may say it for all
CROWD = 8  # bodies; more of them than frames are frames given in the place of bodies
WHOLE = ("subject", "camera", "setup", "repetition")
COLUMNS = ("label", *WHOLE, "frame_rate", "part")
COMMON = ("coordinates", "layout", "classes")


@dataclass(frozen=True, eq=False)
class PlainFile:
    """One file of clips.

    Attributes:
        names: N clip names.
        clip: gives the coordinates of a clip by its index, (T, M, V, C) as they were written.
        columns: N values, or None where unknown, by field of `Clip`.
        labels: (N,) labels as they were written, if there are any.
        classes: the names that numbers in labels stand for.
        layout: name of the layout.
    """

    names: Sequence[str]
    clip: Callable[[int], np.ndarray]
    columns: Mapping[str, Sequence[Any]]
    labels: np.ndarray | None
    classes: Sequence[str] | None
    layout: str | None


def open_plain(path: Path) -> PlainFile:
    """Open a file; large arrays are mapped, not loaded.

    A file that was opened before is not opened again unless it has changed.

    Raises:
        CrosscaleError: naming the file and what in it is not as it must be.
    """
    try:
        return _open(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise CrosscaleError(f"cannot read {path}: {error.strerror}") from error


@lru_cache(maxsize=8)
def _open(path: Path, changed: int) -> PlainFile:
    arrays = open_arrays(path)
    for key, array in arrays.items():
        refuse_no_text(array, f"{path}: {shown(key)}")
    many = "names" in arrays
    columns = {f"{key}s" if many else key: key for key in COLUMNS}
    known = {*columns, *COMMON, *(("names", "lengths", "frames") if many else ())}
    if "coordinates" not in arrays or not arrays.keys() <= known:
        raise CrosscaleError(
            f"{path}: has the arrays {shown(', '.join(arrays), 200)}; a file of "
            f"{'many clips' if many else 'one clip'} has coordinates and may have "
            f"{', '.join(sorted(known - {'coordinates'}))}"
        )
    names = _texts(path, "names", arrays["names"]) if many else [path.stem]
    given = {
        key: arrays[column] if many else np.reshape(arrays[column], -1)
        for column, key in columns.items()
        if column in arrays
    }
    for key, values in given.items():
        if values.shape != (len(names),):
            raise CrosscaleError(
                f"{path}: {key} has shape {values.shape}, not one value for each of the "
                f"{len(names)} clips"
            )
    classes = _texts(path, "classes", arrays["classes"]) if "classes" in arrays else None
    return PlainFile(
        names=names,
        clip=_many(path, arrays, len(names)) if many else _one(path, arrays["coordinates"]),
        columns={key: _values(path, key, values, classes) for key, values in given.items()},
        labels=given.get("label"),
        classes=classes,
        layout=_layout(path, arrays["layout"]) if "layout" in arrays else None,
    )


def _one(path: Path, coordinates: np.ndarray) -> Callable[[int], np.ndarray]:
    bodies = _with_bodies(path, coordinates, 3, "(T, V, 2 or 3) or (T, M, V, 2 or 3)")
    return lambda index: bodies


def _many(path: Path, arrays: Mapping[str, np.ndarray], count: int) -> Callable[[int], np.ndarray]:
    if ("lengths" in arrays) == ("frames" in arrays):
        raise CrosscaleError(
            f"{path}: many clips need either lengths (clips filled up to the longest) or frames "
            "(clips one after the other)"
        )
    key = "lengths" if "lengths" in arrays else "frames"
    lengths, coordinates = arrays[key], arrays["coordinates"]
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu" or (lengths < 1).any():
        raise CrosscaleError(f"{path}: {key} must be {count} whole numbers from 1")
    if key == "lengths":
        filled = _with_bodies(path, coordinates, 4, "(N, T, V, 2 or 3) or (N, T, M, V, 2 or 3)")
        if len(filled) != count or lengths.max() > filled.shape[1]:
            raise CrosscaleError(
                f"{path}: coordinates have {len(filled)} clips of {filled.shape[1]} frames; names "
                f"and lengths say {count} clips of up to {lengths.max()}"
            )
        return lambda index: _taken(filled, (index, slice(lengths[index])))
    rows = _with_bodies(path, coordinates, 3, "(rows, V, 2 or 3) or (rows, M, V, 2 or 3)")
    ends = np.cumsum(lengths)
    if ends[-1] != len(rows):
        raise CrosscaleError(
            f"{path}: coordinates have {len(rows)} rows, frames add up to {ends[-1]}"
        )
    return lambda index: _taken(rows, slice(ends[index] - lengths[index], ends[index]))


def _taken(array: np.ndarray, part: Any) -> np.ndarray:
    """A copy of a part; else an array larger than memory would fill it as it is read."""
    taken = np.array(array[part])
    release(array)
    return taken


def _with_bodies(path: Path, coordinates: np.ndarray, fewest: int, form: str) -> np.ndarray:
    """Coordinates with an axis of bodies, also where there is one body and none was given."""
    if coordinates.ndim not in (fewest, fewest + 1) or coordinates.shape[-1] not in (2, 3):
        raise CrosscaleError(f"{path}: coordinates have shape {coordinates.shape}, not {form}")
    if coordinates.dtype.kind != "f":
        raise CrosscaleError(f"{path}: coordinates are {coordinates.dtype}, not numbers of metres")
    if coordinates.ndim == fewest:
        coordinates = np.expand_dims(coordinates, axis=-3)
    return coordinates


def _values(
    path: Path, key: str, values: np.ndarray, classes: Sequence[str] | None
) -> Sequence[Any]:
    if key == "label":
        if values.dtype.kind in "iu" and classes is None:
            return [str(number) for number in values.tolist()]  # the reader looks at all files
        return [name or None for name in class_names(values, str(path), classes)]
    if key == "part":
        return _texts(path, key, values)
    fitting = "iu" if key in WHOLE else "iuf"
    if values.dtype.kind not in fitting or (values < 0).any():
        kind = "whole numbers" if key in WHOLE else "numbers"
        raise CrosscaleError(f"{path}: {key} must be {kind} from 0, not {values.dtype}")
    numbers: list[Any] = values.tolist()
    return numbers


def _layout(path: Path, value: np.ndarray) -> str:
    names = _texts(path, "layout", value.reshape(-1))
    if len(names) != 1:
        raise CrosscaleError(f"{path}: layout must be one name, not {len(names)}")
    return names[0]


def _texts(path: Path, key: str, values: np.ndarray) -> list[str]:
    if values.dtype.kind not in "US" or values.ndim != 1 or len(values) == 0:
        raise CrosscaleError(f"{path}: {key} must be a list of texts, not {values.dtype}")
    return [str(text) for text in values.astype(str)]


@dataclass(frozen=True)
class Plain(InUnits, RecordingFiles):
    """Clips in `npz` files of one's own.

    Attributes:
        layout: of the joints; empty takes the one that the files say.
        guessed: what was guessed, for every clip.
    """

    layout: str | Layout = ""
    guessed: tuple[str, ...] = ()

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

        Of places in a picture bodies tell whether y points up or down.

        Raises:
            CrosscaleError: when they say one that is not built in.
        """
        opened = (file for _, file in _opened(super().find(source), source) if file)
        files = list(islice(opened, LOOKED_AT))
        said = (file.layout for file in files if file.layout)
        name = self.layout or next(said, USUAL)
        if not self.layout and name not in builtin_layouts():
            raise CrosscaleError(
                f"{source}: files say that their layout is {shown(name)}, which is not built in; "
                "give its YAML file with --layout"
            )
        layout = Layout.of(name)
        clips = (file.clip(i) for file in files for i in range(len(file.names)))
        up, notes = up_in_pictures(islice(clips, LOOKED_AT), layout, self.up)
        return replace(self, layout=layout, up=up, guessed=notes)

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
            where, joints = shown(item.name), self.layout.joints
            refuse_far(coordinates, where)
            found = with_gaps_filled(self.placed(coordinates), joints, where, rate)
            found = replace(found, notes=(*self.guessed, *found.notes))
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
