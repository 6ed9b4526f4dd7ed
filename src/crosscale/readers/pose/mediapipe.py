"""MediaPipe Pose (BlazePose), whose 33 landmarks programs write as JSON, CSV or npy.

World landmarks are metres, the hips' middle at the origin; landmarks of the picture are shares of
its width and height. Both have x to the right, y down and z away from the camera, and a visibility
from 0 to 1. ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker lists them.

    JSON    a list of frames, or an object with `frames`, and `width`, `height` and `fps` where
            known. A frame is what a result is in Python or JavaScript: `pose_world_landmarks`
            (`poseWorldLandmarks`, `worldLandmarks`), which are taken where all frames with a body
            have them, or `pose_landmarks` (`poseLandmarks`, `landmarks`), or the landmarks alone:
            a list of them, an object by name (`{"NOSE": {...}}`), or 99 or 132 numbers; a landmark
            is an object (x, y, z, visibility) or a list. Nobody is null, [] or {}. Where all
            frames tell their numbers (`frame`), they are where these say; numbers with fractions
            are seconds, or other ticks of a clock, whose usual step is that of the frames.
    CSV     a row a frame, columns `nose_x`, `nose_y`, `nose_z`, `nose_visibility`, or by number
            `x0`, `y0`, `z0`, `v0` (or from 1 on)
    npy     (T, 33, 3 to 5): x, y, z, visibility and presence; NaN where nobody is seen

Landmarks alone, CSV and npy do not say which they are; the hips' middle does.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.bodies import by_clock, by_frame
from crosscale.data.detections import CAMERA_TO_Y_UP, Detections, from_image
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.pose.estimated import Estimated, Person, refuse_nobody, rows_of
from crosscale.readers.safe.json_file import json_beginning, load_json, numbers_under
from crosscale.readers.tables.csv_table import FRAME, CsvTable, matrix
from crosscale.skeleton.joint_names import find_joints
from crosscale.skeleton.layout import Layout
from crosscale.utils.arrayfiles import open_array

LAYOUT = "blazepose33"
COUNT = 33
HIPS = [23, 24]
AT_ORIGIN = 0.02  # metres; how far the middle of the hips is from it at most, in most frames
WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks")
IMAGE = ("pose_landmarks", "poseLandmarks", "landmarks")
WIDTH, HEIGHT = ("width", "image_width", "imageWidth"), ("height", "image_height", "imageHeight")
RATE = ("fps", "frame_rate", "frameRate")
MOST = 1e6  # pixels of a picture, or frames a second; more are a damaged file
MISSING = [None, None, None]
FRAMES = '"frames":['
SQUARE = "size of the picture not said, which is taken to be square"
_AXES = {"x": 0, "y": 1, "z": 2, "v": 3, "visibility": 3, "vis": 3}
_NAMED = re.compile(r"(?P<joint>.+)[ _.\-](?P<axis>x|y|z|v|vis|visibility)", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<axis>x|y|z|v)_?(?P<joint>\d+)", re.IGNORECASE)


def landmarks_of_csv(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Landmarks of a table, (T, 33, 3 or 4), and what was repaired.

    A column `frame` tells the frame of each row.

    Raises:
        BadClip: naming the file, and the columns or the line that are wrong.
    """
    table = CsvTable(path)
    places = _columns(table.header)
    lacking = [
        f"{joint} {axis}"
        for joint, axes in zip(Layout.load(LAYOUT).joints, places, strict=True)
        for axis in "xyz"
        if _AXES[axis] not in axes
    ]
    if lacking:
        raise BadClip(
            f"{path.name}: lacks the columns {', '.join(lacking[:6])}; they may be called nose_x "
            "or x0 (numbers in MediaPipe's order)"
        )
    axes = 4 if all(3 in axes for axes in places) else 3
    columns = [found[axis] for found in places for axis in range(axes)]
    frame = [name for name in table.header if name.lower() in FRAME][:1]
    rows = table.read([], [*frame, *columns])
    landmarks = matrix(rows, columns).reshape(-1, COUNT, axes)
    if not frame:
        return landmarks, ()
    return by_frame(matrix(rows, frame)[:, 0], landmarks, path.name)


def names_landmarks(path: Path) -> bool:
    """Whether the first line of a table names x, y and z of all landmarks.

    Raises:
        BadClip: when it is no table.
    """
    return all({0, 1, 2} <= axes.keys() for axes in _columns(CsvTable(path).header))


def _columns(header: list[str]) -> list[dict[int, str]]:
    """Columns by axis of each landmark."""
    by_joint: dict[str, dict[int, str]] = {}
    for column in header:
        found = _NUMBERED.fullmatch(column) or _NAMED.fullmatch(column)
        if found:
            axis = _AXES[found["axis"].lower()]
            by_joint.setdefault(found["joint"], {}).setdefault(axis, column)
    joints = list(by_joint)
    endings = {joint: re.findall(r"\d{1,9}", joint) for joint in joints}
    numbered = {int(digits[-1]): joint for joint, digits in endings.items() if digits}
    first = min(numbered, default=0)
    if set(numbered) == set(range(first, first + COUNT)) and first in (0, 1):
        return [by_joint[numbered[first + place]] for place in range(COUNT)]
    places = find_joints(Layout.load(LAYOUT).joints, joints)
    return [{} if place is None else by_joint[joints[place]] for place in places]


@dataclass(frozen=True)
class MediaPipe(Estimated):
    """Landmarks of MediaPipe, one file a video."""

    layout: str | Layout = LAYOUT

    endings = (".json", ".csv", ".npy")
    what = "files of MediaPipe's landmarks"

    def detections(self, item: Item) -> Detections:
        """All landmarks of a file."""
        ending = item.path.suffix.lower()
        if ending == ".json":
            return _of_json(item.path)
        if ending == ".csv":
            landmarks, notes = landmarks_of_csv(item.path)
            return replace(found := _of_array(landmarks), notes=(*notes, *found.notes))
        return _of_array(_npy(item.path))

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """A key, the names of columns, or a shape."""
        ending = path.suffix.lower()
        if ending == ".json":
            text = json_beginning(path)
            key = next((key for key in (*WORLD, *IMAGE) if f'"{key}":' in text), None)
            if key is not None:
                return f"has {key}"
            alone = [one for one in _alone(_first_frame(text)) if one != MISSING]
            return f"has {COUNT} landmarks a frame" if len(alone) == COUNT else None
        with suppress(CrosscaleError):
            if ending == ".csv":
                return f"has columns of {COUNT} landmarks" if names_landmarks(path) else None
            return f"has the shape {_npy(path).shape} of {COUNT} landmarks"
        return None


def _npy(path: Path) -> np.ndarray:
    """(T, 33, 3 to 5), mapped."""
    try:
        array = open_array(path)
    except CrosscaleError as error:
        raise BadClip(str(error)) from None
    if array.ndim != 3 or array.shape[1] != COUNT or not 3 <= array.shape[2] <= 5:
        raise BadClip(f"{path.name}: has shape {array.shape}, not (frames, {COUNT}, 3 to 5)")
    if array.dtype.kind not in "fiu":
        raise BadClip(f"{path.name}: holds {array.dtype}, not numbers")
    return array


def _of_array(landmarks: np.ndarray) -> Detections:
    """One person, (T, 33, 3 to 5), NaN in frames without."""
    landmarks = landmarks.astype(np.float64)
    there = np.flatnonzero(np.isfinite(landmarks[..., :2]).any((1, 2)))
    found = Detections(
        names=Layout.load(LAYOUT).joints,
        frame=there,
        joints=landmarks[there, :, :3] * CAMERA_TO_Y_UP,
        confidence=landmarks[there, :, 3] if landmarks.shape[2] > 3 else None,
        ids=["0"] * len(there),
        frames=np.arange(len(landmarks)),
    )
    return found if _is_world(landmarks) else _in_plane(found, landmarks[there, :, :2], None)


def _is_world(landmarks: np.ndarray) -> bool:
    """Whether landmarks (B, 33, 3 or more) lie around the middle of the hips."""
    middle = landmarks[:, HIPS, :3].mean(1)
    middle = middle[np.isfinite(middle).all(-1)]
    return bool(len(middle)) and float(np.median(np.abs(middle).max(-1))) < AT_ORIGIN


def _in_plane(
    found: Detections, shares: np.ndarray, size: tuple[float, float] | None
) -> Detections:
    """The same with joints by shares (B, 33, 2) of the picture's width and height."""
    joints = from_image(shares * np.array(size or (1.0, 1.0)))
    return replace(found, joints=joints, notes=() if size else (SQUARE,))


def _of_json(path: Path) -> Detections:
    where = path.name
    content = load_json(path)
    told = content if isinstance(content, Mapping) else {}
    frames = told.get("frames") if told else content
    if not isinstance(frames, list) or not frames:
        raise BadClip(f"{where}: must be a list of frames, or an object with frames; not empty")
    if len(frames) == COUNT and _is_landmark(frames[0]):
        frames = [frames]  # of one picture
    kinds = [_poses(frame, t, where) for t, frame in enumerate(frames)]
    numbers = numbers_under(FRAME, frames)
    if numbers is None:
        moments = np.arange(len(frames))
    else:
        moments = by_clock(numbers, where) if numbers.dtype.kind == "f" else numbers
    in_space = any(world for world, _ in kinds) and not any(
        image and not world for world, image in kinds
    )
    people = [
        Person(t, f"{where}: frame {t}, person {i}", pose)
        for t, (world, image) in enumerate(kinds)
        for i, pose in enumerate(world if in_space else image)
    ]
    refuse_nobody(people, where, len(frames))
    landmarks = rows_of(people, map(_landmarks, people), 4)
    if not any(isinstance(frame, Mapping) and frame.keys() & {*WORLD, *IMAGE} for frame in frames):
        in_space = _is_world(landmarks)
    alone = len({person.frame for person in people}) == len(people)
    found = Detections(
        names=Layout.load(LAYOUT).joints,
        frame=moments[[person.frame for person in people]],
        joints=landmarks[..., :3] * CAMERA_TO_Y_UP,
        confidence=landmarks[..., 3],
        ids=["0"] * len(people) if alone else None,
        frames=moments,
        frame_rate=_number(told, RATE),
    )
    if in_space:
        return found
    width, height = _number(told, WIDTH), _number(told, HEIGHT)
    return _in_plane(found, landmarks[..., :2], (width, height) if width and height else None)


def _poses(frame: Any, t: int, where: str) -> tuple[list[Any], list[Any]]:
    """World and picture landmarks of each person in a frame."""
    if alone := _alone(frame):
        return [], [alone]
    if isinstance(frame, list):
        frame = {IMAGE[0]: frame}
    if frame is not None and not isinstance(frame, Mapping):
        raise BadClip(f"{where}: frame {t}: is neither an object nor a list of landmarks")
    world, image = (
        _people(next((frame[key] for key in keys if frame.get(key)), None) if frame else None)
        for keys in (WORLD, IMAGE)
    )
    return world, image


def _alone(given: Any) -> list[Any]:
    """Landmarks of one person in a list, by name, or as numbers; empty for anything else."""
    if isinstance(given, list) and given:
        if _is_landmark(given[0]):
            return given
        size = len(given) // COUNT
        if isinstance(given[0], int | float) and len(given) == size * COUNT and size in (3, 4):
            return [given[i : i + size] for i in range(0, len(given), size)]
    if isinstance(given, Mapping):
        names = list(given)
        places = find_joints(Layout.load(LAYOUT).joints, names)
        if any(place is not None for place in places):
            return [MISSING if place is None else given[names[place]] for place in places]
    return []


def _first_frame(text: str) -> Any:
    """What a file begins with, None where that is cut off or none."""
    start = 1 if text.startswith("[") else text.find(FRAMES) + len(FRAMES)
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _people(given: Any) -> list[Any]:
    """Lists of landmarks, one a person; some programs leave out the list of people."""
    if isinstance(given, Mapping):
        given = given.get("landmark", given)
    if not given:
        return []
    if alone := _alone(given):
        return [alone]
    people = given if isinstance(given, list) else [given]
    return [one.get("landmark", one) if isinstance(one, Mapping) else one for one in people]


def _is_landmark(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "x" in value
    return (
        isinstance(value, list) and 0 < len(value) < 6 and not isinstance(value[0], list | Mapping)
    )


def _landmarks(person: Person) -> list[list[Any]]:
    """x, y, z and visibility of each landmark, None where it is not told."""
    pose = person.told
    if not isinstance(pose, list) or len(pose) != COUNT:
        count = f"{len(pose)} landmarks" if isinstance(pose, list) else "no list of landmarks"
        raise BadClip(f"{person.place}: has {count}, not {COUNT}")
    try:
        return [_four(landmark) for landmark in pose]
    except (KeyError, TypeError, IndexError):
        raise BadClip(f"{person.place}: a landmark has no x, y and z") from None


def _four(landmark: Any) -> list[Any]:
    if isinstance(landmark, Mapping):
        return [landmark["x"], landmark["y"], landmark.get("z"), landmark.get("visibility")]
    return [*landmark[:4], None, None][:4]


def _number(told: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    value = next((told[key] for key in keys if key in told), None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MOST:
        return None
    return float(value)
