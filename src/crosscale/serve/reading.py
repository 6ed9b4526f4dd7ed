"""From uploaded files to a store; runs in a process of its own, see `isolated.py`."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from crosscale.data.prepare import REPORT, prepare
from crosscale.data.readers import READERS, make_reader
from crosscale.data.readers.plain_file import open_plain
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, nearest
from crosscale.serve.limits import Limits
from crosscale.serve.uploads import FILES
from crosscale.skeleton.layout import Layout, builtin_layouts

STORE = "store"  # a folder below the request's own

# What may be uploaded. None of these formats can hold pickled objects.
FORMATS = (
    "npz", "skeleton", "nwucla", "bvh", "c3d", "trc", "kinect", "azure",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """How an upload was read.

    Attributes:
        source_format: one of `FORMATS`.
        how: how one saw that.
        set_aside: (clip, reason) of what could not be used.
        mended: kinds of faults that were mended, and in how many clips.
    """

    source_format: str
    how: str
    set_aside: tuple[tuple[str, str], ...]
    mended: dict[str, int]


def read_upload(
    folder: Path, source_format: str | None, layout: str | None, usual: str, limits: Limits
) -> Reading:
    """Read the files in `folder/FILES` into a store, `folder/STORE`.

    Args:
        folder: of the request.
        source_format: one of `FORMATS`; None looks at the files.
        layout: of formats that do not fix it, a built-in name; None takes what the file says.
        usual: the layout to take where the file does not say it.
        limits: of clips, frames and people.

    Raises:
        CrosscaleError: when nothing can be used, or it is too much.
    """
    files = folder / FILES
    _check_archives(files, limits)
    if source_format is None:
        source_format, how = recognised(files)
    else:
        source_format, how = checked_format(source_format), "you said so"
    fits = source_format in ("npz", "c3d", "trc")
    if layout is not None and not fits:
        raise CrosscaleError(f"format {source_format} has its own layout: leave layout out")
    chosen = _layout(source_format, files, layout, usual)
    # `.skeleton` files need a folder that would name their class.
    source = folder if source_format == "skeleton" else files
    report = prepare(make_reader(source_format, layout=chosen), source, folder / STORE, workers=1)
    _check_size(ClipStore.open(folder / STORE), limits)
    (folder / STORE / REPORT).unlink()
    return Reading(
        source_format,
        how,
        tuple((one.name, one.reason) for one in report.set_aside),
        dict(report.mended),
    )


def checked_format(name: str) -> str:
    """The name, if it is of `FORMATS`.

    Raises:
        CrosscaleError: naming the nearest right one.
    """
    if name not in FORMATS:
        raise CrosscaleError(
            f"format '{name:.40}' is not taken here: {nearest(name[:40], FORMATS)}"
        )
    return name


def checked_layout(name: str) -> str:
    """The name, if a built-in layout has it; so that it is never taken for a path.

    Raises:
        CrosscaleError: naming the nearest right one.
    """
    known = builtin_layouts()
    if name not in known:
        raise CrosscaleError(f"no layout '{name:.40}': {nearest(name[:40], known)}")
    return name


def recognised(files: Path) -> tuple[str, str]:
    """The format of files, and how one sees it.

    Raises:
        CrosscaleError: when they are of none, or not of one only.
    """
    endings = sorted({path.suffix for path in files.iterdir()})
    if len(endings) > 1:
        raise CrosscaleError(f"files end in {', '.join(endings)}: send files of one format")
    ending = endings[0]
    if ending in (".npz", ".skeleton"):
        return ending[1:], f"files end in {ending}"
    for name in FORMATS:
        look = getattr(import_module(READERS[name][0]), "recognises", None)
        if look is not None and (how := look(files)) is not None:
            return name, how
    if ending == ".json" and _is_nwucla(next(files.iterdir())):
        return "nwucla", "JSON with file_name, label and skeletons"
    raise CrosscaleError(
        f"files that end in '{ending}' were not recognised: send one of {', '.join(FORMATS)}"
    )


def _is_nwucla(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"file_name", "label", "skeletons"} <= content.keys()


def _layout(source_format: str, files: Path, layout: str | None, usual: str) -> str | None:
    """Name of the layout to give to the reader, if it takes one."""
    if layout is not None:
        return checked_layout(layout)
    if source_format != "npz":
        return None
    told = [open_plain(path) for path in sorted(files.iterdir())]
    named = next((file.layout for file in told if file.layout), None)
    if named:
        return checked_layout(named)
    joints = told[0].clip(0).shape[2]
    known = {name: len(Layout.load(name).joints) for name in builtin_layouts()}
    if known.get(usual) == joints:
        return usual
    fitting = [name for name, count in known.items() if count == joints]
    if len(fitting) != 1:
        raise CrosscaleError(
            f"clips have {joints} joints, as {' or '.join(fitting) or 'no built-in layout'}: say "
            "the layout"
        )
    return fitting[0]


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
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, kind = read(file)
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
    ):
        if count > most:
            raise CrosscaleError(f"{count:,} {what} are too many: send at most {most:,}")
