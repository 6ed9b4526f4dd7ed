"""Ultralytics (YOLO pose): what `Results.to_json()` gives, one list of people a frame.

A person has `keypoints` with lists `x`, `y` and, of most models, `visible` (confidence), x to the
right and y down in pixels, and with `model.track` a `track_id`. A file is a list of such lists, or
has one of them on each line (`.jsonl`): a frame with nobody is `[]`. docs.ultralytics.com,
"Reference for ultralytics/engine/results.py", tells it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.detections import Detections, from_image
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.files import faults_named, text_lines
from crosscale.readers.pose.coco import coco_joints
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.safe.json_file import heads, load_json, numbers

LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Ultralytics(Estimated):
    """JSON files of Ultralytics, one a video."""

    endings = (".json", *LINES)
    what = "JSON files of Ultralytics"

    def detections(self, item: Item) -> Detections:
        """All people of a file.

        Raises:
            BadClip: naming the file, and frame and person in it.
        """
        where = item.path.name
        frames = _frames(item.path)
        people = [
            (t, person, f"{where}: frame {t}, person {i}")
            for t, frame in enumerate(frames)
            for i, person in enumerate(frame)
        ]
        if not people:
            raise BadClip(f"{where}: none of its {len(frames)} frames shows a body")
        keypoints = [_keypoints(person, place) for _, person, place in people]
        places = [place for _, _, place in people]
        x, y = (numbers([one.get(axis) for one in keypoints], 1, places) for axis in "xy")
        if x.shape != y.shape:
            raise BadClip(f"{places[0]}: has {x.shape[1]} x and {y.shape[1]} y")
        ids = [person.get("track_id") for _, person, _ in people]
        return Detections(
            names=coco_joints(x.shape[1], places[0]),
            frame=np.array([t for t, _, _ in people], np.int64),
            joints=from_image(np.concatenate([x, y], axis=-1)),
            confidence=_confidence(keypoints, places, x.shape[1]),
            ids=None if None in ids else [str(number) for number in ids],
            frames=np.arange(len(frames)),
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is of Ultralytics, or None."""
    for path, text in heads(source, Ultralytics.endings):
        if text.startswith("[") and '"keypoints":{"x":[' in text:
            return f"{path.name} has people whose keypoints are lists of x and y"
    return None


def _frames(path: Path) -> list[list[Any]]:
    frames = _lines(path) if path.suffix.lower() in LINES else load_json(path)
    if not isinstance(frames, list) or not frames:
        raise BadClip(f"{path.name}: must be a list of frames, not empty")
    for t, frame in enumerate(frames):
        if isinstance(frame, str):  # what to_json gives is text, easily put into JSON as it is
            frames[t] = frame = _parsed(frame, f"{path.name}: frame {t}")
        if not isinstance(frame, list):
            single = isinstance(frame, Mapping) and "keypoints" in frame
            hint = "; this file is of one picture, not of a video" if single else ""
            raise BadClip(f"{path.name}: frame {t}: must be a list of people{hint}")
    return frames


def _lines(path: Path) -> list[Any]:
    with faults_named(path):
        lines = text_lines(path)
    return [
        _parsed(line, f"{path.name}: line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadClip(f"{where}: is not whole JSON") from None


def _keypoints(person: Any, place: str) -> Mapping[str, Any]:
    keypoints = person.get("keypoints") if isinstance(person, Mapping) else None
    if not isinstance(keypoints, Mapping):
        raise BadClip(f"{place}: has no keypoints with x and y; was it a model for poses?")
    return keypoints


def _confidence(
    keypoints: Sequence[Mapping[str, Any]], places: Sequence[str], count: int
) -> np.ndarray | None:
    """(B, V), where all people have it."""
    if any("visible" not in one for one in keypoints):
        return None
    visible = numbers([one["visible"] for one in keypoints], 1, places)
    if visible.shape[1] != count:
        raise BadClip(f"{places[0]}: has {count} keypoints, of which {visible.shape[1]} visible")
    return visible[..., 0]
