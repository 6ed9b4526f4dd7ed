"""MMPose: JSON of its demo scripts (`--save-predictions`) and of `MMPoseInferencer`.

The scripts write `meta_info` and `instance_info`; the inferencer, for a video, writes what is in
`instance_info` alone: a list of frames, each with `frame_id` and `instances`. An instance has
`keypoints` (x y, x to the right and y down), `keypoint_scores`, and with tracking `track_id`.
mmpose.readthedocs.io, "Inference with existing models", tells it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.detections import Detections, from_image
from crosscale.errors import BadClip
from crosscale.readers.base import Item
from crosscale.readers.pose.coco import coco_joints
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.safe.json_file import heads, load_json, numbers


@dataclass(frozen=True)
class MmPose(Estimated):
    """JSON files of MMPose, one a video."""

    endings = (".json",)
    what = "JSON files of MMPose"

    def detections(self, item: Item) -> Detections:
        """All people of a file.

        Raises:
            BadClip: naming the file, and frame and instance in it.
        """
        where = item.path.name
        content = load_json(item.path)
        told = content if isinstance(content, Mapping) else {"instance_info": content}
        frames = told.get("instance_info") or []
        people = _people(frames, where)
        if not people:
            raise BadClip(f"{where}: none of its {len(frames)} frames shows a body")
        places = [place for _, _, place in people]
        rows = numbers([person["keypoints"] for _, person, _ in people], _size(people), places)
        scores = numbers([person["keypoint_scores"] for _, person, _ in people], 1, places)
        if scores.shape[1] != rows.shape[1]:
            raise BadClip(
                f"{places[0]}: has {rows.shape[1]} keypoints and {scores.shape[1]} scores"
            )
        ids = [person.get("track_id") for _, person, _ in people]
        tracked = all(isinstance(number, int) and number >= 0 for number in ids)
        return Detections(
            names=_names(told.get("meta_info"), rows.shape[1], places[0]),
            frame=np.array([number for number, _, _ in people], np.int64),
            joints=from_image(rows),
            confidence=scores[..., 0],
            ids=[str(number) for number in ids] if tracked else None,
            frames=np.array([_number(frame, t) for t, frame in enumerate(frames)], np.int64),
        )


def recognises(source: Path) -> str | None:
    """How one sees that a source is of MMPose, or None."""
    for path, text in heads(source):
        if '"keypoint_scores":' in text or text.startswith('{"meta_info":{'):
            return f"{path.name} has instances with keypoint_scores, or meta_info above them"
    return None


def _people(frames: Any, where: str) -> list[tuple[int, Mapping[str, Any], str]]:
    """Number of the frame, instance and place of each."""
    if not isinstance(frames, list) or not frames:
        raise BadClip(f"{where}: has no list of frames in instance_info")
    people = []
    for t, frame in enumerate(frames):
        instances = frame.get("instances") if isinstance(frame, Mapping) else None
        if not isinstance(instances, list):
            single = isinstance(frame, Mapping) and "keypoints" in frame
            hint = "; this file is of one picture, not of a video" if single else ""
            raise BadClip(f"{where}: frame {t}: has no list of instances{hint}")
        for i, person in enumerate(instances):
            place = f"{where}: frame {t}, instance {i}"
            if not isinstance(person, Mapping) or not person.keys() >= _KEYS:
                raise BadClip(f"{place}: must be an object with keypoints and keypoint_scores")
            people.append((_number(frame, t), person, place))
    return people


_KEYS = {"keypoints", "keypoint_scores"}


def _number(frame: Mapping[str, Any], t: int) -> int:
    number = frame.get("frame_id", t)
    return number if isinstance(number, int) and 0 <= number < 1 << 60 else t


def _size(people: Sequence[tuple[int, Mapping[str, Any], str]]) -> int:
    """Numbers a keypoint: two. Joints in space are of other data sets than COCO."""
    _, person, place = people[0]
    keypoints = person["keypoints"]
    first = keypoints[0] if isinstance(keypoints, list) and keypoints else None
    if isinstance(first, list) and len(first) != 2:
        raise BadClip(
            f"{place}: keypoints have {len(first)} numbers each; those in the plane have 2"
        )
    return 2


def _names(meta: Any, count: int, where: str) -> tuple[str, ...]:
    """Names that the file gives, otherwise COCO's."""
    names = meta.get("keypoint_id2name") if isinstance(meta, Mapping) else None
    if isinstance(names, Mapping) and len(names) == count:
        given = [names.get(str(i)) for i in range(count)]
        if len({*given, None}) == count + 1:
            return tuple(str(name) for name in given)
    return coco_joints(count, where)
