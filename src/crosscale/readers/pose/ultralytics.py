"""Ultralytics (YOLO pose): what `Results.to_json()` gives, one list of people a frame.

A person has `keypoints` with lists `x`, `y` and, of most models, `visible` (confidence), x to the
right and y down in pixels, and with `model.track` a `track_id`. A file is a list of such lists, or
has one of them on each line (`.jsonl`): a frame with nobody is `[]`. docs.ultralytics.com,
"Reference for ultralytics/engine/results.py", tells it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.detections import Detections
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.files import faults_named, text_lines
from crosscale.readers.pose.estimated import (
    Estimated,
    Person,
    in_picture,
    refuse_nobody,
    rows_of,
)
from crosscale.readers.safe.json_file import json_beginning, load_json

LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Ultralytics(Estimated):
    """JSON files of Ultralytics, one a video."""

    endings = (".json", *LINES)
    what = "JSON files of Ultralytics"

    def detections(self, item: Item) -> Detections:
        """All people of a file."""
        where = item.path.name
        frames = _frames(item.path)
        people = [
            Person(t, f"{where}: frame {t}, person {i}", person)
            for t, frame in enumerate(frames)
            for i, person in enumerate(frame)
        ]
        refuse_nobody(people, where, len(frames))
        keypoints = [_keypoints(person) for person in people]
        x, y = (rows_of(people, (one.get(axis) for one in keypoints), 1) for axis in "xy")
        if x.shape != y.shape:
            raise BadClip(f"{people[0].place}: has {x.shape[1]} x and {y.shape[1]} y")
        visible = None
        if all("visible" in one for one in keypoints):
            visible = rows_of(people, (one["visible"] for one in keypoints), 1)[..., 0]
            if visible.shape[1] != x.shape[1]:
                raise BadClip(
                    f"{people[0].place}: has {x.shape[1]} keypoints, of which {visible.shape[1]} "
                    "visible"
                )
        ids = (person.told.get("track_id") for person in people)
        places = np.concatenate([x, y], axis=-1)
        return in_picture(people, places, visible, ids=ids, frames=range(len(frames)))

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Keys of a person."""
        text = json_beginning(path)
        if text.startswith("[") and '"keypoints":{"x":[' in text:
            return "has people whose keypoints are lists of x and y"
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


def _keypoints(person: Person) -> Mapping[str, Any]:
    keypoints = person.told.get("keypoints") if isinstance(person.told, Mapping) else None
    if not isinstance(keypoints, Mapping):
        raise BadClip(f"{person.place}: has no keypoints with x and y; was it a model for poses?")
    return keypoints
