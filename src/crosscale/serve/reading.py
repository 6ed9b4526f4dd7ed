"""From uploaded files to a store; runs in a process of its own, see `isolated.py`."""

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, nearest
from crosscale.readers import make_reader
from crosscale.readers.auto import fitting
from crosscale.readers.prepare import REPORT, prepare
from crosscale.readers.tables.plain import open_plain
from crosscale.serve.limits import Limits
from crosscale.serve.uploads import FILES
from crosscale.skeleton.layout import PEOPLE, Layout, builtin_layouts
from crosscale.utils.arrayfiles import read_header

STORE = "store"  # a folder below the request's own

# What may be uploaded, and what it is. None of these formats can hold pickled objects.
FORMATS = {
    "mediapipe": "MediaPipe (JSON, CSV, npy)",
    "openpose": "OpenPose (a JSON file a frame)",
    "alphapose": "AlphaPose (JSON)",
    "mmpose": "MMPose (JSON)",
    "ultralytics": "Ultralytics (JSON)",
    "deeplabcut": "DeepLabCut (CSV, HDF5)",
    "sleap": "SLEAP (CSV, HDF5)",
    "bvh": "BVH motion capture",
    "c3d": "C3D markers",
    "trc": "TRC markers",
    "skeleton": "Kinect v2 (.skeleton)",
    "kinect": "Kinect (CSV)",
    "azure": "Azure Kinect (JSON)",
    "nwucla": "NW-UCLA (JSON)",
    "long": "a table of frame, joint, x, y, z",
    "npz": "NumPy (.npz)",
}
AUTO = "auto"  # stands for the format that the files have
BY_NAME = ("deeplabcut", "sleap", "long")  # whose joints are found by their names


@dataclass(frozen=True)
class Reading:
    """How an upload was read.

    Attributes:
        format: one of `FORMATS`.
        how: how one saw that.
        layout: name of the clips' layout.
        skipped: name and reason of each recording that could not be used.
        repaired: kinds of faults that were repaired, and in how many clips.
    """

    format: str
    how: str
    layout: str
    skipped: list[dict[str, str]]
    repaired: dict[str, int]


def read_upload(
    folder: Path, source_format: str, layout: str | None, usual: Layout, limits: Limits
) -> Reading:
    """Read the files in `folder/FILES` into a store, `folder/STORE`.

    Args:
        folder: of the request.
        source_format: one of `FORMATS`, or `AUTO`.
        layout: of formats that do not fix it, a built-in name; None takes what the file says.
        usual: the encoder's layout, to take where the file does not say it.
        limits: of clips, frames and people.

    Raises:
        CrosscaleError: when nothing can be used, or it is too much.
    """
    files = folder / FILES
    _check_archives(files, limits)
    how = "you said so"
    if source_format == AUTO:
        source_format, how = _recognised(files)
    chosen = _layout(source_format, files, layout, usual)
    report = prepare(make_reader(source_format, layout=chosen), files, folder / STORE, workers=1)
    store = ClipStore.open(folder / STORE)
    _check_size(store, limits)
    (folder / STORE / REPORT).unlink()
    skipped = [{"name": one.name, "reason": one.reason} for one in report.skipped]
    return Reading(source_format, how, store.layout.name, skipped, report.repairs())


def check_format(name: str) -> None:
    """Refuse a name that is none of `FORMATS`.

    Raises:
        CrosscaleError: naming the nearest right one.
    """
    if name not in FORMATS:
        raise CrosscaleError(
            f"format '{name:.40}' is not taken here: {nearest(name[:40], FORMATS)}"
        )


def check_layout(name: str) -> None:
    """Refuse a name that no built-in layout has, so that none is ever taken for a path.

    Raises:
        CrosscaleError: naming the nearest right one.
    """
    if name not in builtin_layouts():
        raise CrosscaleError(f"no layout '{name:.40}': {nearest(name[:40], builtin_layouts())}")


def _recognised(files: Path) -> tuple[str, str]:
    """The format of files, and how one sees it; damaged archives are known by their ending."""
    if all(path.suffix == ".npz" for path in files.iterdir()):
        return "npz", "files end in .npz"
    found = [one for one in fitting(files) if one.source_format in FORMATS]
    if len(found) == 1:
        return found[0].source_format, found[0].reason
    why = "; ".join(f"{FORMATS[one.source_format]}, since {one.reason}" for one in found)
    raise CrosscaleError(
        (f"this may have several formats: {why}" if found else "this has no format that is known")
        + ": choose one at Format"
    )


def _layout(
    source_format: str, files: Path, layout: str | None, usual: Layout
) -> str | Layout | None:
    """The layout to give to the reader, if it takes one."""
    is_own = usual.name not in builtin_layouts()  # of an animal, say
    if layout is None and is_own and source_format in BY_NAME:
        return usual
    if layout is not None or source_format != "npz":
        return layout
    told = []
    for path in sorted(files.iterdir()):
        with suppress(CrosscaleError):  # the reader says what is wrong with it
            told.append(open_plain(path))
    named = next((file.layout for file in told if file.layout), None)
    if is_own and named == usual.name:
        return usual
    if named:
        check_layout(named)
    if named or not told:
        return named
    joints = told[0].clip(0).shape[2]
    if len(usual.joints) == joints:
        return usual
    people = (one for one in map(Layout.load, builtin_layouts()) if PEOPLE in one.scales)
    known = {layout.name: len(layout.joints) for layout in people}
    fits = [name for name, count in known.items() if count == joints]
    if len(fits) != 1:
        raise CrosscaleError(
            f"clips have {joints} joints, as {' or '.join(fits) or 'no built-in layout'}: choose "
            "one at Joints"
        )
    return fits[0]


def _check_archives(files: Path, limits: Limits) -> None:
    """Refuse archives whose contents are far larger than they look, before they are unpacked.

    What is checked is what `numpy` goes by: the sizes in the archive, which bound what is
    unpacked, and the shapes in the arrays, for which memory is taken at once.
    """
    total = 0
    for path in files.iterdir():
        if not zipfile.is_zipfile(path):
            continue
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total += sum(member.file_size for member in members)
            if total > limits.unpacked or len(members) > limits.files:
                raise CrosscaleError(
                    f"the archive unpacks to {len(members)} files of {total / 2**20:,.0f} MB: send "
                    f"at most {limits.unpacked / 2**20:,.0f} MB"
                )
            for member, claimed in _claims(archive):
                if claimed > member.file_size:
                    raise CrosscaleError(
                        f"array {member.filename:.40} says that it has {claimed:,} bytes, and has "
                        f"{member.file_size:,}"
                    )


def _claims(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, int]]:
    """Bytes that each array says it has."""
    for member in archive.infolist():
        with archive.open(member) as file:
            try:
                shape, _, kind = read_header(file)
            except (ValueError, EOFError, zipfile.BadZipFile):
                continue  # no array; the reader says what is wrong
        size = kind.itemsize
        for length in shape:
            size *= length  # whole numbers of Python, which do not overflow
        yield member, size


def _check_size(store: ClipStore, limits: Limits) -> None:
    frames, people = int(store.column("frames").sum()), int(store.column("bodies").max())
    for count, most, what in (
        (len(store), limits.clips, "clips"),
        (frames, limits.frames, "frames"),
        (people, limits.people, "people in a clip"),
        (len(store.layout.joints), limits.joints, "joints"),
    ):
        if count > most:
            raise CrosscaleError(f"{count:,} {what} are too many: send at most {most:,}")
