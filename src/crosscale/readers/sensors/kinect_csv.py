"""CSV tables of Kinect v1 and v2, with the joint names of Microsoft's SDKs.

Two forms are common: a row for each body and frame, with columns such as `SpineBase_X`,
`SpineBase_Y`, `SpineBase_Z`, and a row for each joint, with columns `joint`, `x`, `y`, `z`. The
names tell the sensor (Kinect for Windows SDK 1.8, `JointType` from HipCenter to FootRight; SDK 2.0,
from SpineBase to ThumbRight). Both give metres with y up, 30 frames a second.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from crosscale.data.bodies import LATER, REPEATED, by_clock, in_time, tracked
from crosscale.data.clip import Clip
from crosscale.data.tracks import Sightings
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.files import RecordingFiles, first_read
from crosscale.readers.mocap.space import InUnits
from crosscale.readers.tables.csv_table import CsvTable, matrix
from crosscale.skeleton.joint_names import plain_name
from crosscale.skeleton.layout import Layout

VERSIONS = {"ntu25": "v2", "kinect20": "v1"}  # of the sensor, by its layout
JOINTS = {sensor: Layout.load(sensor).joints for sensor in VERSIONS}
FRAME_RATE = 30.0
FRAME = ("frame", "framenumber", "frameid", "frameno", "framenum", "frameindex")
TIME = ("timestamp", "time", "timestampms", "timems", "relativetime")
BODY = (
    *("body", "bodyid", "bodyindex", "trackingid", "person", "personid", "user", "userid"),
    *("player", "playerid", "skeleton", "skeletonid", "id"),
)
JOINT = ("joint", "jointtype", "jointname", "jointid")
_AXIS = re.compile(r"(?P<joint>.*?)[ _.\-(]*(?:position|pos)?[ _.\-(]*(?P<axis>[xyz])\)?", re.I)
_STATE = re.compile(r"(?P<joint>.*?)[ _.\-]*(?:tracking)?[ _.\-]*state", re.I)
_UNTRACKED = ("0", "nottracked", "untracked", "false")


@dataclass(frozen=True)
class KinectCsv(InUnits, RecordingFiles):
    """CSV files of Kinect v1 or v2, of one sensor.

    Attributes:
        layout: kinect20 or ntu25; empty takes the sensor whose joints the first file names.
    """

    layout: str = ""

    frame_rate = FRAME_RATE
    endings = (".csv", ".tsv")
    what = "CSV files of Kinect"

    def for_source(self, source: Path) -> "KinectCsv":
        """This reader with the layout of the sensor that the first readable file tells.

        Raises:
            CrosscaleError: when no file names the joints of a sensor.
        """
        if self.layout:
            return self
        sensor = first_read(self.find(source), lambda item: _Recording(item.path).sensor())
        return replace(self, layout=sensor)

    def read(self, item: Item) -> Clip:
        """Read one file; see `Reader`."""
        if not self.layout:
            return self.for_source(item.path).read(item)
        layout = Layout.load(self.layout)
        recording = _Recording(item.path)
        seen = recording.bodies(layout)
        seen = replace(seen, joints=self.placed(seen.joints))
        found = tracked(seen, layout.joints, item.path.name)
        found = replace(found, notes=(*recording.notes, *found.notes))
        return found.clip(item.name, frame_rate=self.frame_rate)

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """The names of its columns."""
        try:
            return f"names the joints of Kinect {VERSIONS[_Recording(path).sensor()]}"
        except BadClip:
            return None


class _Recording:
    """One table; what its columns are is seen in its first line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = CsvTable(path)
        self.columns = {re.sub(r"[^a-z]", "", name.lower()): name for name in self.table.header}
        self.places: dict[str, dict[str, str]] = {}  # of a joint, or of "" where rows are joints
        self.states: dict[str, str] = {}
        self.notes: tuple[str, ...] = ()  # what was repaired
        for name in self.table.header:
            if place := _AXIS.fullmatch(name):
                axes = self.places.setdefault(_joint(place["joint"]), {})
                axes.setdefault(place["axis"].lower(), name)
            elif state := _STATE.fullmatch(name):
                self.states.setdefault(_joint(state["joint"]), name)
        self.by_joint = self.column(JOINT) is not None and len(self.places.get("", {})) == 3

    def column(self, names: Sequence[str]) -> str | None:
        """The first of the columns that is there, as the file writes it."""
        return next((self.columns[name] for name in names if name in self.columns), None)

    def sensor(self) -> str:
        """The layout of the sensor; raises BadClip when the joints are of neither."""
        if self.by_joint:
            there = set(self._joint_names(self.table.read([self.column(JOINT) or ""])))
        else:
            there = {joint for joint, axes in self.places.items() if len(axes) == 3}
        lacking = {s: [j for j in joints if j not in there] for s, joints in JOINTS.items()}
        sensor, nearest = min(lacking.items(), key=lambda one: len(one[1]))
        if not nearest:
            return sensor
        raise BadClip(
            f"{self.path.name}: the first line does not name the joints of Kinect v1 or v2, such "
            f"as Head_X or HandLeft_X; it lacks {', '.join(nearest[:5])}"
        )

    def bodies(self, layout: Layout) -> Sightings:
        """Every body of every frame in which the sensor saw any of it."""
        if self.by_joint:
            rows, joints = self._rows_of_joints(layout)
        else:
            rows, joints = self._rows_of_bodies(layout)
        joints[(joints == 0).all(-1)] = np.nan  # how the SDK leaves what it does not track
        frame = rows["frame"]
        seen = np.flatnonzero(np.isfinite(joints).any((1, 2)))
        seen = seen[np.argsort(frame[seen], kind="stable")]
        return Sightings(
            int(frame.max()) + 1, frame[seen], rows["body"][seen].tolist(), joints[seen]
        )

    def _rows_of_bodies(self, layout: Layout) -> tuple[dict[str, np.ndarray], np.ndarray]:
        lacking = [j for j in layout.joints if len(self.places.get(j, {})) < 3]
        if lacking:
            raise BadClip(
                f"{self.path.name}: has no columns of {', '.join(lacking[:5])} of {layout.name}"
            )
        numbers = [self.places[joint][axis] for joint in layout.joints for axis in "xyz"]
        states = [self.states[joint] for joint in layout.joints if joint in self.states]
        table = self.table.read([*self._labels(), *states], numbers)
        joints = matrix(table, numbers).reshape(table.num_rows, -1, 3)
        for v, joint in enumerate(layout.joints):
            if joint in self.states:
                joints[_untracked(table, self.states[joint]), v] = np.nan
        return self._frames(table, range(table.num_rows)), joints

    def _rows_of_joints(self, layout: Layout) -> tuple[dict[str, np.ndarray], np.ndarray]:
        numbers = [self.places[""][axis] for axis in "xyz"]
        states = [self.states[""]] if "" in self.states else []
        table = self.table.read([self.column(JOINT) or "", *self._labels(), *states], numbers)
        if self.column((*FRAME, *TIME)) is None:
            raise BadClip(f"{self.path.name}: rows of joints need a column frame or time")
        places = matrix(table, numbers)
        if states:
            places[_untracked(table, states[0])] = np.nan
        number = {joint: v for v, joint in enumerate(layout.joints)}
        joint = np.array([number.get(name, -1) for name in self._joint_names(table)])
        if (joint < 0).any():
            row = int((joint < 0).argmax())
            raise BadClip(f"{self.path.name}: line {row + 2}: the joint is none of {layout.name}")
        rows = self._frames(table, [])
        pairs = np.stack([np.unique(rows[key], return_inverse=True)[1] for key in rows])
        _, first, body = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
        twice = len(joint) - len(np.unique(body * len(number) + joint))
        if twice > REPEATED * len(joint):
            raise BadClip(f"{self.path.name}: a joint is twice in one body and frame")
        self.notes = (f"{LATER}: {twice}",) if twice else ()
        joints = np.full((len(first), len(number), 3), np.nan)
        joints[body, joint] = places
        return {key: values[first] for key, values in rows.items()}, joints

    def _joint_names(self, table: pa.Table) -> list[str]:
        """Plain names of a column of joints; numbers are those of the SDK."""
        names = table.column(self.column(JOINT)).to_pylist()
        plain = {name: _joint(name or "") for name in set(names)}
        if all(name and name.isdecimal() for name in plain):
            numbers = sorted(int(name) for name in plain)
            sensor = next(
                (s for s in VERSIONS if numbers == list(range(len(Layout.load(s).joints)))), ""
            )
            order = Layout.load(sensor).joints if sensor else ()
            plain = {str(n): order[n] if n < len(order) else "" for n in numbers}
        return [plain[name] for name in names]

    def _labels(self) -> list[str]:
        found = (self.column((*FRAME, *TIME)), self.column(BODY))
        return [name for name in found if name is not None]

    def _frames(self, table: pa.Table, otherwise: Sequence[int]) -> dict[str, np.ndarray]:
        """Frame and body of each row; without a body each row is a frame."""
        numbers, body = self.column(FRAME), self.column(BODY)
        frame = numbers or self.column(TIME)
        ids = table.column(body).to_numpy(zero_copy_only=False) if body else None
        if frame is None and ids is not None and len(set(ids)) > 1:
            raise BadClip(f"{self.path.name}: rows of several bodies need a column frame or time")
        moments = np.arange(table.num_rows)
        if frame is not None:
            words = table.column(frame).to_pylist()
            if "" in words:
                line = words.index("") + 2
                raise BadClip(f"{self.path.name}: line {line}: has nothing under {frame}")
            found = _moments(words, self.path.name, numbered=frame == numbers)
            # a clock of full seconds does not tell the rows of one body apart
            alone = body is None and len(otherwise) and frame != numbers
            if not alone or len(np.unique(found)) >= (1 - REPEATED) * len(found):
                moments = found
        nobody = np.full(table.num_rows, "0", object)
        return {"frame": moments, "body": nobody if ids is None else ids}


def _joint(text: str) -> str:
    return plain_name(text) if text.strip() else ""


def _untracked(table: pa.Table, column: str) -> np.ndarray:
    words = (str(word).lower() for word in table.column(column).to_pylist())
    return np.array([re.sub(r"[^a-z0-9]", "", word) in _UNTRACKED for word in words], bool)


def _moments(words: Sequence[str], where: str, *, numbered: bool) -> np.ndarray:
    """Places in time of rows, by numbers of frames or a clock; other words are taken as they come.

    Raises:
        BadClip: as `in_time`.
    """
    try:
        values = np.array([float(word) for word in words], np.float64)
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        place: dict[str, int] = {}
        return np.array([place.setdefault(word, len(place)) for word in words])
    if numbered and (values == np.floor(values)).all():
        return in_time(values, where)
    return by_clock(values, where)
