"""Readers: one module a source, each giving the same record (`crosscale.data.clip.Clip`)."""

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from crosscale.data.clip import Clip
from crosscale.errors import CrosscaleError, nearest
from crosscale.skeleton.layout import Layout


@dataclass(frozen=True, order=True)
class Item:
    """One recording to be read: cheap to list, cheap to hand to another process.

    Attributes:
        name: the clip's name.
        path: the file that holds it.
        index: its place in the file when the file holds many.
        left_out: why it is left out on purpose (e.g. it stands on the official list of samples
            with missing skeletons); such an item is counted and not read, and is no fault.
    """

    name: str
    path: Path
    index: int = 0
    left_out: str = ""


class Reader(Protocol):
    """Turns one kind of source into clips.

    Readers are small frozen dataclasses whose fields are their options, so that they travel to
    worker processes. A reader that needs a large file keeps it open by itself (a cached function
    of its module), not in a field.
    """

    @property
    def name(self) -> str:
        """The kind of data set (`ntu60`, `nwucla` ...), which decides the protocols."""

    @property
    def layout(self) -> str | Layout:
        """The layout whose joint order the clips have, or its name or path."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """All class names in official order, or None to take those that the clips have."""

    def find(self, source: Path) -> list[Item]:
        """The recordings below `source`, sorted by name.

        Raises:
            CrosscaleError: when `source` is missing, empty or has nothing of this format.
        """

    def read(self, item: Item) -> Clip:
        """Read one recording.

        Raises:
            BadClip: when it cannot be used, naming the file and the place in it.
        """


@runtime_checkable
class FromSource(Protocol):
    """A reader that must see the source to know its layout, or what its numbers mean."""

    def for_source(self, source: Path) -> Reader:
        """The reader for the recordings below `source`.

        Raises:
            CrosscaleError: as `find`, or when the source does not tell.
        """


def fitted(reader: Reader, source: Path) -> Reader:
    """The reader, after a look at the source if it needs one; its layout is then known.

    Raises:
        CrosscaleError: when the source is missing, or does not tell what the reader must know.
    """
    return reader.for_source(source) if isinstance(reader, FromSource) else reader


# command-line name: (module, class or function that makes the reader); imported when asked for
READERS: dict[str, tuple[str, str]] = {
    "ntu60": ("crosscale.data.readers.ntu", "Ntu60"),
    "ntu120": ("crosscale.data.readers.ntu", "Ntu120"),
    "skeleton": ("crosscale.data.readers.ntu", "OwnSkeletons"),
    "nwucla": ("crosscale.data.readers.nwucla", "NwUcla"),
    "utdmhad": ("crosscale.data.readers.utdmhad", "UtdMhad"),
    "ntu60-arrays": ("crosscale.data.readers.arrays", "Ntu60Arrays"),
    "ntu120-arrays": ("crosscale.data.readers.arrays", "Ntu120Arrays"),
    "arrays": ("crosscale.data.readers.arrays", "Arrays"),
    "npz": ("crosscale.data.readers.plain", "Plain"),
    "bvh": ("crosscale.data.readers.bvh", "Bvh"),
    "c3d": ("crosscale.data.readers.c3d", "C3d"),
    "trc": ("crosscale.data.readers.trc", "Trc"),
    "openpose": ("crosscale.data.readers.openpose", "OpenPose"),
    "alphapose": ("crosscale.data.readers.alphapose", "AlphaPose"),
    "mmpose": ("crosscale.data.readers.mmpose", "MmPose"),
    "ultralytics": ("crosscale.data.readers.ultralytics", "Ultralytics"),
    "mediapipe": ("crosscale.data.readers.mediapipe", "MediaPipe"),
    "video": ("crosscale.data.readers.video", "Video"),
    "deeplabcut": ("crosscale.data.readers.deeplabcut", "DeepLabCut"),
    "sleap": ("crosscale.data.readers.sleap", "Sleap"),
    "long": ("crosscale.data.readers.long_table", "LongTable"),
    "kinect": ("crosscale.data.readers.kinect_csv", "KinectCsv"),
    "azure": ("crosscale.data.readers.azure", "AzureKinect"),
    "msr": ("crosscale.data.readers.msr", "MsrAction3d"),
    "utkinect": ("crosscale.data.readers.utkinect", "UtKinect"),
    "sbu": ("crosscale.data.readers.sbu", "Sbu"),
}


def make_reader(source_format: str, **options: Any) -> Reader:
    """Make the reader that the command line calls `source_format`.

    Args:
        source_format: a key of `READERS`.
        options: fields of the reader; those that are None keep their defaults.

    Raises:
        CrosscaleError: for an unknown format or an option that this reader does not have.
    """
    if source_format not in READERS:
        raise CrosscaleError(f"no reader for {source_format}: {nearest(source_format, READERS)}")
    module, maker = READERS[source_format]
    make = getattr(importlib.import_module(module), maker)
    known = inspect.signature(make).parameters
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in known:
            raise CrosscaleError(
                f"{source_format} has no option {name}; it has: {', '.join(known) or 'none'}"
            )
    made: Reader = make(**given)
    return made
