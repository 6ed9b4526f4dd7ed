"""Azure Kinect body tracking, as the sample `offline_processor` writes it.

The samples of Microsoft's Azure Kinect body-tracking SDK write an object a recording: `frames`,
each with `frame_id`, `timestamp_usec` and `bodies`, each with `body_id` and `joint_positions` (32
joints, x y z in millimetres), beside `joint_names`. The depth camera's x points right, y down and z
forward; turning half round the z axis gives the axes of the older sensors, y up, nothing mirrored.
learn.microsoft.com/azure/kinect-dk/body-joints lists the joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.bodies import by_clock, in_time, tracked
from crosscale.data.clip import Clip
from crosscale.data.tracks import Sightings
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.files import RecordingFiles, beginning
from crosscale.readers.safe.json_file import load_json, numbers_under
from crosscale.skeleton.joint_names import plain_name
from crosscale.skeleton.layout import Layout

JOINTS = 32
NUMBER, TIME = ("frame_id",), ("timestamp_usec",)
TO_METRES_Y_UP = np.array([-0.001, -0.001, 0.001])
# the samples write none of these; programs made from them add one (0 is "out of sight")
CONFIDENCES = ("joint_confidence", "joint_confidences", "confidence_levels")


@dataclass(frozen=True)
class AzureKinect(RecordingFiles):
    """JSON files of Azure Kinect, as its offline processor writes them."""

    layout = "azure32"
    endings = (".json",)
    what = "JSON files of Azure Kinect"

    def read(self, item: Item) -> Clip:
        """Read one file; see `Reader`."""
        where = item.path.name
        layout = Layout.load(self.layout)
        content = load_json(item.path)
        frames = content.get("frames") if isinstance(content, Mapping) else None
        if not isinstance(frames, list) or not frames:
            raise BadClip(f"{where}: must be an object with a list of frames")
        bodies = [(t, body) for t, frame in enumerate(frames) for body in _bodies(frame, t, where)]
        joints = _positions(bodies, where)[:, _order(content.get("joint_names"), layout, where)]
        joints[(joints == 0).all(-1) | _out_of_sight(bodies, where)] = np.nan
        moments = _moments(frames, where)
        frame = moments[[t for t, _ in bodies]]
        order = np.argsort(frame, kind="stable")
        ids = [str(body.get("body_id", 0)) for _, body in bodies]
        seen = Sightings(
            frames=int(moments.max()) + 1,
            frame=frame[order],
            ids=[ids[row] for row in order],
            joints=joints[order] * TO_METRES_Y_UP,
        )
        found = tracked(seen, layout.joints, where)
        return found.clip(item.name, frame_rate=_rate(frames))

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """A key of a body, or one of the file."""
        start = beginning(path)
        if b'"joint_positions"' in start or b"k4abt_sdk_version" in start:
            return "has joint_positions of body tracking"
        return None


def _bodies(frame: Any, t: int, where: str) -> list[Mapping[str, Any]]:
    bodies = frame.get("bodies") if isinstance(frame, Mapping) else None
    if isinstance(bodies, list) and bodies and isinstance(bodies[0], list):
        bodies = bodies[0]  # some programs put one list into another
    if not isinstance(bodies, list) or not all(isinstance(b, Mapping) for b in bodies):
        raise BadClip(f"{where}: frame {t}: has no list of bodies")
    return bodies


def _positions(bodies: Sequence[tuple[int, Mapping[str, Any]]], where: str) -> np.ndarray:
    """(B, 32, 3) millimetres."""
    if not bodies:
        raise BadClip(f"{where}: shows no body in any frame")
    found = _numbers([body.get("joint_positions") for _, body in bodies])
    if found.shape[1:] == (JOINTS, 3):
        return found
    shapes = [_numbers(body.get("joint_positions")).shape for _, body in bodies]
    t = next(t for (t, _), shape in zip(bodies, shapes, strict=True) if shape != (JOINTS, 3))
    raise BadClip(f"{where}: frame {t}: joint_positions are not {JOINTS} times three numbers")


def _numbers(given: Any) -> np.ndarray:
    """Numbers in nested lists; an empty array for anything else."""
    try:
        return np.array(given, np.float64)
    except (ValueError, TypeError):
        return np.empty(0)


def _out_of_sight(bodies: Sequence[tuple[int, Mapping[str, Any]]], where: str) -> np.ndarray:
    """(B, 32) true where the sensor says that it did not see a joint."""
    key = next((key for key in CONFIDENCES if key in bodies[0][1]), None)
    if key is None:
        return np.zeros((len(bodies), JOINTS), bool)
    levels = _numbers([body.get(key) for _, body in bodies])
    if levels.shape != (len(bodies), JOINTS):
        raise BadClip(f"{where}: {key} is not one number for each of {JOINTS} joints of each body")
    return np.asarray(levels == 0)


def _order(names: Any, layout: Layout, where: str) -> list[int]:
    """Places of the layout's joints in the file."""
    if names is None:
        return list(range(JOINTS))
    # the SDK's header writes NAVEL, its documentation NAVAL
    given = names if isinstance(names, list) else []
    plain = [plain_name(str(name)).replace("naval", "navel") for name in given]
    if sorted(plain) != sorted(layout.joints):
        raise BadClip(f"{where}: joint_names are not the {JOINTS} joints of Azure Kinect")
    return layout.order_from(plain)


def _moments(frames: Sequence[Any], where: str) -> np.ndarray:
    """Places in time of frames, by their numbers or the sensor's clock, else as they come."""
    if (numbers := numbers_under(NUMBER, frames)) is not None:
        return in_time(numbers, where)
    times = numbers_under(TIME, frames)
    return np.arange(len(frames)) if times is None else by_clock(times, where)


def _rate(frames: Sequence[Any]) -> float | None:
    times = numbers_under(TIME, frames)
    if times is None or len(moments := np.unique(times)) < 2:
        return None
    step = float(np.median(np.diff(moments)))
    return round(1e6 / step, 2) if step >= 1 else None
