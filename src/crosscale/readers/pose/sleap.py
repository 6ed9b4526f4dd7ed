"""SLEAP: analysis files, HDF5 or CSV.

An analysis HDF5 file has `tracks` (tracks, 2, nodes, frames), or with the attribute `dims` in
another order, pixels with y down and NaN where nothing was found; `node_names`, `track_names`,
`edge_names`, and `point_scores` (tracks, nodes, frames). An analysis CSV file has `track`,
`frame_idx` and for each node `NODE.x`, `NODE.y` and `NODE.score`. docs.sleap.ai and io.sleap.ai,
"Analysis HDF5 format", tell it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crosscale.data.detections import Detections, from_image
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.files import beginning, faults_named
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.safe.hdf5 import ENDINGS as HDF5
from crosscale.readers.safe.hdf5 import SIGNATURE, opened, own_dataset, whole
from crosscale.readers.tables.csv_table import CsvTable, matrix

if TYPE_CHECKING:
    import h5py

TABLES = (".csv",)
DATASETS = ("tracks", "node_names", "track_names", "point_scores", "edge_names")
MATLAB = ("track", "xy", "node", "frame")  # the order where the file does not say it
STANDARD = ("frame", "track", "node", "xy")


@dataclass(frozen=True)
class Sleap(Estimated):
    """Analysis files of SLEAP; the layout's joints are nodes, by name."""

    endings = (*HDF5, *TABLES)
    what = "analysis files of SLEAP"

    def detections(self, item: Item) -> Detections:
        """All tracks of a file; raises CrosscaleError where HDF5 needs a library."""
        if item.path.suffix.lower() in HDF5:
            with faults_named(item.path), opened(item.path) as file:
                return _of_file(file)
        return _of_table(item.path)

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The columns of a table, or what HDF5 holds."""
        start = beginning(path)
        names = start.partition(b"\n")[0].split(b",")
        if b"frame_idx" in names and b"track" in names:
            return "has columns track and frame_idx"
        if start.startswith(SIGNATURE) and b"node_names" in start:
            return "is HDF5 with node_names"
        return None


def _of_table(path: Path) -> Detections:
    table = CsvTable(path)
    lacking = [name for name in ("track", "frame_idx") if name not in table.header]
    columns = set(table.header)
    nodes = [name[:-2] for name in table.header if name.endswith(".x")]
    nodes = [node for node in nodes if f"{node}.y" in columns]
    if lacking or not nodes:
        lacking = lacking or ["NODE.x", "NODE.y"]
        raise BadClip(f"{path.name}: lacks the columns {', '.join(lacking)} of SLEAP")
    places = [f"{node}.{axis}" for node in nodes for axis in "xy"]
    scores = [f"{node}.score" for node in nodes]
    scores = scores if columns.issuperset(scores) else []
    read = table.read(["track"], ["frame_idx", *places, *scores])
    frame = read.column("frame_idx").to_numpy()
    if not (np.isfinite(frame).all() and (np.abs(frame) < 2**53).all()):
        raise BadClip(f"{path.name}: frame_idx is not a whole number in every row")
    ids = read.column("track").to_pylist()
    return Detections(
        names=tuple(nodes),
        frame=frame.astype(np.int64),
        joints=from_image(matrix(read, places).reshape(len(frame), -1, 2)),
        confidence=matrix(read, scores) if scores else None,
        ids=ids if all(ids) else None,
    )


def _of_file(file: "h5py.File") -> Detections:
    found = {name: own_dataset(file, name) for name in DATASETS}
    tracks, named = found["tracks"], found["node_names"]
    if tracks is None or named is None:
        lacking = [name for name in ("tracks", "node_names") if found[name] is None]
        hint = ""
        if "df_with_missing" in file:
            hint = "; it is of DeepLabCut: say deeplabcut in place of sleap"
        elif "pred_points" in file or "videos_json" in file:
            hint = "; export an analysis HDF5 file from SLEAP"
        raise BadClip(f"lacks {' and '.join(lacking)} of an analysis file{hint}")
    nodes, names = _texts(named), _texts(found["track_names"])
    order = _order(tracks, len(nodes))
    places = _numbers(tracks).transpose([order.index(axis) for axis in STANDARD])
    frame, track = np.nonzero(np.isfinite(places).any((2, 3)))
    if len(names) != places.shape[1]:
        names = [str(i) for i in range(places.shape[1])]
    scores = _scores(found["point_scores"], order, places.shape[:3])
    ends = _texts(found["edge_names"])
    edges = zip(ends[::2], ends[1::2], strict=False)
    return Detections(
        names=tuple(nodes),
        frame=frame,
        joints=from_image(places[frame, track]),
        confidence=None if scores is None else scores[frame, track],
        ids=[names[i] for i in track.tolist()],
        frames=np.arange(len(places)),
        edges=tuple((above, below) for above, below in edges if {above, below} <= set(nodes)),
    )


def _order(tracks: "h5py.Dataset", nodes: int) -> tuple[str, ...]:
    """Names of the axes of `tracks`."""
    told = tracks.attrs.get("dims")
    try:
        order = tuple(json.loads(told)) if isinstance(told, str | bytes) else MATLAB
    except (ValueError, TypeError):
        order = MATLAB
    if sorted(order) != sorted(STANDARD) or len(tracks.shape) != 4:
        raise BadClip(f"tracks have the axes {', '.join(map(str, order))} of {tracks.shape}")
    size = dict(zip(order, tracks.shape, strict=True))
    if size["xy"] != 2 or size["node"] != nodes:
        raise BadClip(f"tracks have shape {tracks.shape}, which {nodes} nodes of x and y do not")
    return order


def _scores(scores: Any, order: Sequence[str], shape: tuple[int, int, int]) -> np.ndarray | None:
    """(T, M, V), where the file has them."""
    if scores is None:
        return None
    order = [axis for axis in order if axis != "xy"]
    wanted = tuple(shape[STANDARD.index(axis)] for axis in order)
    if scores.shape != wanted:
        raise BadClip(f"point_scores have shape {scores.shape}, not {wanted}")
    return _numbers(scores).transpose([order.index(axis) for axis in STANDARD[:3]])


def _numbers(dataset: "h5py.Dataset") -> np.ndarray:
    """All of a dataset as float64."""
    if dataset.dtype.kind not in "fiu":
        raise BadClip(f"{dataset.name} holds {dataset.dtype}, not numbers")
    return np.asarray(whole(dataset), np.float64)


def _texts(dataset: Any) -> list[str]:
    """All texts of a dataset, in order."""
    if dataset is None:
        return []
    if dataset.nbytes > (1 << 24):
        raise BadClip(f"{dataset.name} says {dataset.shape} texts")
    values = np.asarray(dataset[()]).ravel().tolist()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]
