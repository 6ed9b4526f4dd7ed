"""Readers: one module a source, each giving the same record (`crosscale.data.clip.Clip`)."""

import inspect
from typing import Any

from crosscale.errors import CrosscaleError
from crosscale.readers.base import Reader
from crosscale.utils.registry import Registry

# Fields of readers that are options of `crosscale prepare`; others are set by `--reader.FIELD`.
OPTIONS = (
    "layout",
    "joints",
    "bodies_by",
    "max_bodies",
    "missing",
    "labels",
    "units",
    "up",
    "confidence",
)
MEMBERS = ("name", "layout", "classes", "find", "read")  # of `Reader`
# command-line name: class or function that makes the reader; imported when asked for
READERS: dict[str, str] = {
    "ntu60": "crosscale.readers.datasets.ntu:Ntu60",
    "ntu120": "crosscale.readers.datasets.ntu:Ntu120",
    "skeleton": "crosscale.readers.datasets.ntu:OwnSkeletons",
    "nwucla": "crosscale.readers.datasets.nwucla:NwUcla",
    "utdmhad": "crosscale.readers.datasets.utdmhad:UtdMhad",
    "ntu60-arrays": "crosscale.readers.datasets.arrays:Ntu60Arrays",
    "ntu120-arrays": "crosscale.readers.datasets.arrays:Ntu120Arrays",
    "arrays": "crosscale.readers.datasets.arrays:Arrays",
    "npz": "crosscale.readers.tables.plain:Plain",
    "bvh": "crosscale.readers.mocap.bvh:Bvh",
    "c3d": "crosscale.readers.mocap.c3d:C3d",
    "trc": "crosscale.readers.mocap.trc:Trc",
    "openpose": "crosscale.readers.pose.openpose:OpenPose",
    "alphapose": "crosscale.readers.pose.alphapose:AlphaPose",
    "mmpose": "crosscale.readers.pose.mmpose:MmPose",
    "ultralytics": "crosscale.readers.pose.ultralytics:Ultralytics",
    "mediapipe": "crosscale.readers.pose.mediapipe:MediaPipe",
    "video": "crosscale.readers.pose.video:Video",
    "deeplabcut": "crosscale.readers.pose.deeplabcut:DeepLabCut",
    "sleap": "crosscale.readers.pose.sleap:Sleap",
    "table": "crosscale.readers.tables.rows:Rows",
    "long": "crosscale.readers.tables.long_table:LongTable",
    "kinect": "crosscale.readers.sensors.kinect_csv:KinectCsv",
    "azure": "crosscale.readers.sensors.azure:AzureKinect",
    "msr": "crosscale.readers.datasets.msr:MsrAction3d",
    "utkinect": "crosscale.readers.datasets.utkinect:UtKinect",
    "sbu": "crosscale.readers.datasets.sbu:Sbu",
}


_REGISTRY = Registry("reader", "crosscale.readers", READERS)


def known_readers() -> dict[str, str]:
    """Import paths of all readers by name: the built-in ones, and those of installed packages."""
    return _REGISTRY.paths()


def make_reader(source_format: str, **options: Any) -> Reader:
    """Make the reader that the command line calls `source_format`.

    Args:
        source_format: one of `known_readers`, or an import path such as `my_file:MyReader`.
        options: fields of the reader; those that are None keep their defaults.

    Raises:
        CrosscaleError: for an unknown format, an option that this reader does not have, or an
            import path that leads to no reader.
    """
    make = _REGISTRY.load(source_format)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        fields = inspect.signature(make).parameters
        for name in given:
            if name not in fields:
                known = [one for one in fields if one in OPTIONS or one not in MEMBERS]
                if source_format in READERS:  # whose other fields are no user's business
                    known = [one for one in known if one in OPTIONS]
                takes = ", ".join(map(_option, known)) or "no options"
                raise CrosscaleError(f"{source_format} takes no {_option(name)}; it takes {takes}")
        made = make(**given)
    except TypeError as error:  # not callable, or fields without defaults
        raise CrosscaleError(f"{source_format} cannot be made: {error}") from error
    if lacking := [name for name in MEMBERS if not hasattr(made, name)]:
        raise CrosscaleError(f"{source_format} is no reader: it has no {' and no '.join(lacking)}")
    reader: Reader = made
    return reader


def _option(field: str) -> str:
    """A field of a reader as `crosscale prepare` takes it."""
    return f"--{field.replace('_', '-')}" if field in OPTIONS else f"--reader.{field}"
