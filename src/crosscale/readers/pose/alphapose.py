"""AlphaPose: `alphapose-results.json`, one list of all people in all frames of a video.

Each has `image_id` (the frame's picture, `12.jpg`), `keypoints` (x, y and confidence of every
keypoint, x to the right and y down), `score`, and with tracking `idx`, which says who it is. The
project's documentation, "AlphaPose - Output format", tells it:
github.com/MVIG-SJTU/AlphaPose/blob/master/docs/output.md
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosscale.data.detections import Detections
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.pose.estimated import Estimated, Person, in_picture, rows_of
from crosscale.readers.safe.json_file import json_beginning, load_json


@dataclass(frozen=True)
class AlphaPose(Estimated):
    """JSON files of AlphaPose, one a video."""

    endings = (".json",)
    what = "JSON files of AlphaPose"

    def detections(self, item: Item) -> Detections:
        """All people of a file."""
        where = item.path.name
        listed = load_json(item.path)
        if not isinstance(listed, list) or not listed:
            raise BadClip(f"{where}: must be a list of people, not empty")
        for i, one in enumerate(listed):
            if not isinstance(one, Mapping) or not {"image_id", "keypoints"} <= one.keys():
                raise BadClip(f"{where}: person {i}: must be an object with image_id and keypoints")
        frames = _frames([str(one["image_id"]) for one in listed])
        people = [
            Person(frame, f"{where}: person {i}", one)
            for i, (frame, one) in enumerate(zip(frames, listed, strict=True))
        ]
        rows = rows_of(people, (one["keypoints"] for one in listed), 3)
        ids = (one.get("idx") for one in listed)
        return in_picture(people, rows[..., :2], rows[..., 2], ids=ids)

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Keys of a person."""
        text = json_beginning(path)
        if text.startswith("[{") and '"image_id":' in text and '"keypoints":[' in text:
            return "is a list of people with image_id and keypoints"
        return None


def _frames(images: Sequence[str]) -> list[int]:
    """Numbers of the frames, the last in the names of their pictures (`video_000012.jpg`).

    Pictures without any are counted as they come.
    """
    digits = [re.findall(r"\d+", name.rpartition(".")[0] or name) for name in images]
    if all(digits):
        return [int(found[-1][-18:]) for found in digits]
    place: dict[str, int] = {}
    return [place.setdefault(name, len(place)) for name in images]
