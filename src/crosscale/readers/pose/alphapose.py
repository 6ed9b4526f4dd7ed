"""AlphaPose: `alphapose-results.json`, one list of all people in all frames of a video.

Each has `image_id` (the frame's picture, `12.jpg`), `keypoints` (x, y and confidence of every
keypoint, x to the right and y down), `score`, and with tracking `idx`, which says who it is. The
project's documentation, "AlphaPose - Output format", tells it:
github.com/MVIG-SJTU/AlphaPose/blob/master/docs/output.md
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.detections import Detections, from_image
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.pose.coco import coco_joints, frame_number
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.safe.json_file import heads, load_json, numbers


@dataclass(frozen=True)
class AlphaPose(Estimated):
    """JSON files of AlphaPose, one a video."""

    endings = (".json",)
    what = "JSON files of AlphaPose"

    def detections(self, item: Item) -> Detections:
        """All people of a file.

        Raises:
            BadClip: naming the file and the person in it.
        """
        where = item.path.name
        people = load_json(item.path)
        if not isinstance(people, list) or not people:
            raise BadClip(f"{where}: must be a list of people, not empty")
        places = [f"{where}: person {i}" for i in range(len(people))]
        for person, place in zip(people, places, strict=True):
            if not isinstance(person, Mapping) or not {"image_id", "keypoints"} <= person.keys():
                raise BadClip(f"{place}: must be an object with image_id and keypoints")
        rows = numbers([person["keypoints"] for person in people], 3, places)
        return Detections(
            names=coco_joints(rows.shape[1], places[0]),
            frame=_frames([str(person["image_id"]) for person in people]),
            joints=from_image(rows[..., :2]),
            confidence=rows[..., 2],
            ids=_ids(people),
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is of AlphaPose, or None."""
    for path, text in heads(source):
        if text.startswith("[{") and '"image_id":' in text and '"keypoints":[' in text:
            return f"{path.name} is a list of people with image_id and keypoints"
    return None


def _frames(images: Sequence[str]) -> np.ndarray:
    """Numbers of the frames; pictures without any are counted as they come."""
    found = [frame_number(name) for name in images]
    if None in found:
        place: dict[str, int] = {}
        found = [place.setdefault(name, len(place)) for name in images]
    return np.array(found, np.int64)


def _ids(people: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Who they are, if all are tracked; some versions put the number into lists."""
    ids = []
    for person in people:
        name = person.get("idx")
        while isinstance(name, list) and len(name) == 1:
            name = name[0]
        if not isinstance(name, int | float | str):
            return None
        ids.append(f"{name:g}" if isinstance(name, float) else str(name))
    return ids
