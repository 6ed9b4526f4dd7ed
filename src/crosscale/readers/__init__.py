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
    "ntu60": ("crosscale.readers.datasets.ntu", "Ntu60"),
    "ntu120": ("crosscale.readers.datasets.ntu", "Ntu120"),
    "skeleton": ("crosscale.readers.datasets.ntu", "OwnSkeletons"),
    "nwucla": ("crosscale.readers.datasets.nwucla", "NwUcla"),
    "utdmhad": ("crosscale.readers.datasets.utdmhad", "UtdMhad"),
    "ntu60-arrays": ("crosscale.readers.datasets.arrays", "Ntu60Arrays"),
    "ntu120-arrays": ("crosscale.readers.datasets.arrays", "Ntu120Arrays"),
    "arrays": ("crosscale.readers.datasets.arrays", "Arrays"),
    "npz": ("crosscale.readers.tables.plain", "Plain"),
    "bvh": ("crosscale.readers.mocap.bvh", "Bvh"),
    "c3d": ("crosscale.readers.mocap.c3d", "C3d"),
    "trc": ("crosscale.readers.mocap.trc", "Trc"),
    "openpose": ("crosscale.readers.pose.openpose", "OpenPose"),
    "alphapose": ("crosscale.readers.pose.alphapose", "AlphaPose"),
    "mmpose": ("crosscale.readers.pose.mmpose", "MmPose"),
    "ultralytics": ("crosscale.readers.pose.ultralytics", "Ultralytics"),
    "mediapipe": ("crosscale.readers.pose.mediapipe", "MediaPipe"),
    "video": ("crosscale.readers.pose.video", "Video"),
    "deeplabcut": ("crosscale.readers.pose.deeplabcut", "DeepLabCut"),
    "sleap": ("crosscale.readers.pose.sleap", "Sleap"),
    "long": ("crosscale.readers.tables.long_table", "LongTable"),
    "kinect": ("crosscale.readers.sensors.kinect_csv", "KinectCsv"),
    "azure": ("crosscale.readers.sensors.azure", "AzureKinect"),
    "msr": ("crosscale.readers.datasets.msr", "MsrAction3d"),
    "utkinect": ("crosscale.readers.datasets.utkinect", "UtKinect"),
    "sbu": ("crosscale.readers.datasets.sbu", "Sbu"),
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
