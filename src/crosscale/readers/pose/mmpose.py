"""MMPose: JSON of its demo scripts (`--save-predictions`) and of `MMPoseInferencer`.

The scripts write `meta_info` and `instance_info`; the inferencer, for a video, writes what is in
`instance_info` alone: a list of frames, each with `frame_id` and `instances`. An instance has
`keypoints` (x y, x to the right and y down), `keypoint_scores`, and with tracking `track_id`.
mmpose.readthedocs.io, "Inference with existing models", tells it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosscale.data.detections import Detections
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.pose.estimated import (
    Estimated,
    Person,
    in_picture,
    refuse_nobody,
    rows_of,
)
from crosscale.readers.safe.json_file import json_beginning, load_json

KEYS = {"keypoints", "keypoint_scores"}


@dataclass(frozen=True)
class MmPose(Estimated):
    """JSON files of MMPose, one a video."""

    endings = (".json",)
    what = "JSON files of MMPose"

    def detections(self, item: Item) -> Detections:
        """All people of a file."""
        where = item.path.name
        content = load_json(item.path)
        told = content if isinstance(content, Mapping) else {"instance_info": content}
        frames = told.get("instance_info")
        if not isinstance(frames, list) or not frames:
            raise BadClip(f"{where}: has no list of frames in instance_info")
        people = _people(frames, where)
        refuse_nobody(people, where, len(frames))
        rows = rows_of(people, (person.told["keypoints"] for person in people), _size(people[0]))
        scores = rows_of(people, (person.told["keypoint_scores"] for person in people), 1)
        if scores.shape[1] != rows.shape[1]:
            raise BadClip(
                f"{people[0].place}: has {rows.shape[1]} keypoints and {scores.shape[1]} scores"
            )
        return in_picture(
            people,
            rows,
            scores[..., 0],
            names=_names(told.get("meta_info"), rows.shape[1]),
            ids=(person.told.get("track_id") for person in people),
            frames=[_number(frame, t) for t, frame in enumerate(frames)],
        )

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Keys of an instance, or the one above."""
        text = json_beginning(path)
        if '"keypoint_scores":' in text or text.startswith('{"meta_info":{'):
            return "has instances with keypoint_scores, or meta_info above them"
        return None


def _people(frames: list[Any], where: str) -> list[Person]:
    """All instances."""
    people = []
    for t, frame in enumerate(frames):
        instances = frame.get("instances") if isinstance(frame, Mapping) else None
        if not isinstance(instances, list):
            single = isinstance(frame, Mapping) and "keypoints" in frame
            hint = "; this file is of one picture, not of a video" if single else ""
            raise BadClip(f"{where}: frame {t}: has no list of instances{hint}")
        for i, person in enumerate(instances):
            place = f"{where}: frame {t}, instance {i}"
            if not isinstance(person, Mapping) or not person.keys() >= KEYS:
                raise BadClip(f"{place}: must be an object with keypoints and keypoint_scores")
            people.append(Person(_number(frame, t), place, person))
    return people


def _number(frame: Mapping[str, Any], t: int) -> int:
    number = frame.get("frame_id", t)
    return number if isinstance(number, int) and 0 <= number < 1 << 60 else t


def _size(person: Person) -> int:
    """Numbers a keypoint: two. Joints in space are of other data sets than COCO."""
    keypoints = person.told["keypoints"]
    first = keypoints[0] if isinstance(keypoints, list) and keypoints else None
    if isinstance(first, list) and len(first) != 2:
        raise BadClip(
            f"{person.place}: keypoints have {len(first)} numbers each; those in the plane have 2"
        )
    return 2


def _names(meta: Any, count: int) -> list[str] | None:
    """Names that the file gives to all keypoints."""
    names = meta.get("keypoint_id2name") if isinstance(meta, Mapping) else None
    if not isinstance(names, Mapping) or len(names) != count:
        return None
    given = [names.get(str(i)) for i in range(count)]
    return [str(name) for name in given] if len({*given, None}) == count + 1 else None
