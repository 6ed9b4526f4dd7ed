"""OpenPose, as `--write_json` writes it: a folder of JSON files, one a frame.

`NAME_000000000012_keypoints.json` has `people`, each with `pose_keypoints_2d`: x, y and confidence
of every keypoint, x to the right and y down, 0 0 0 where it was not found; with `--3d` also
`pose_keypoints_3d`: x, y, z and 1 or 0. `person_id` is [-1] without tracking. CMU's OpenPose
documentation, "Output", lists the 25 keypoints of BODY_25 and the 18 of COCO:
github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.detections import CAMERA_TO_Y_UP, Detections, extent
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.files import is_meant, paths_below, refuse_absent, some_files
from crosscale.readers.pose.estimated import Estimated, Person, in_picture, rows_of
from crosscale.readers.safe.json_file import json_beginning, load_json
from crosscale.skeleton.layout import Layout

ENDING = "_keypoints.json"
MODELS = {25: "openpose25", 18: "coco18"}
PLANE, SPACE = "pose_keypoints_2d", "pose_keypoints_3d"
# Calibration decides the unit in space: nobody is 20 metres long.
LONGEST_METRES = 20.0
MOST_FILES = 100_000  # that are counted
_NAME = re.compile(r"(?P<clip>.*?)_?(?P<frame>\d+)_keypoints\.json", re.IGNORECASE)


@dataclass(frozen=True)
class OpenPose(Estimated):
    """JSON files of OpenPose, one a frame, in folders of one clip or of many."""

    endings = (ENDING,)
    what = "files of OpenPose"

    def find(self, source: Path) -> list[Item]:
        """One item a clip, its path that of its first frame.

        Raises:
            CrosscaleError: when there are none.
        """
        refuse_absent(source)
        if source.is_file():  # that of one frame stands for its clip
            clip = _named(source.name)
            return [Item(clip or source.resolve().parent.name, source)]
        folders = {path.parent for path in paths_below(source, (ENDING,))}
        _frames_of.cache_clear()
        clips = {folder: _frames_of(folder) for folder in folders}
        alone = all(len(frames) == 1 for frames in clips.values())
        items = []
        for folder, frames in clips.items():
            below = folder.relative_to(source)
            for clip, paths in frames.items():
                name = (
                    below if alone and folder != source else below / (clip or folder.resolve().name)
                )
                items.append(Item(name.as_posix(), paths[0]))
        if not items:
            raise CrosscaleError(f"{source} has no files of OpenPose, such as a_000{ENDING}")
        return sorted(items)

    def detections(self, item: Item) -> Detections:
        """All frames of a clip; what is wrong is told with the frame's file."""
        paths = _frames_of(item.path.parent)[_named(item.path.name)]
        frames = [_number(path) for path in paths]
        people = [
            Person(frame, f"{path.name}: person {i}", person)
            for frame, path in zip(frames, paths, strict=True)
            for i, person in enumerate(_people(path))
        ]
        key = SPACE if any(person.told.get(SPACE) for person in people) else PLANE
        people = [one for one in people if one.told.get(key)]  # others have a face or hands only
        if not people:
            raise BadClip(f"{item.path.name}: none of the clip's {len(paths)} frames shows a body")
        rows = rows_of(people, (one.told[key] for one in people), 3 if key == PLANE else 4)
        if rows.shape[1] not in MODELS:
            raise BadClip(
                f"{people[0].place} has {rows.shape[1]} keypoints; the 25 of BODY_25 and the 18 of "
                "COCO can be read"
            )
        found = in_picture(
            people,
            rows[..., :2],
            rows[..., -1],
            names=Layout.load(MODELS[rows.shape[1]]).joints,
            ids=(one.told.get("person_id", [-1]) for one in people),
            frames=frames,
        )
        return found if key == PLANE else _in_space(found, rows[..., :3])

    @classmethod
    def recognises(cls, source: Path) -> str | None:
        """How one sees that a source is of OpenPose, or None."""
        reason = super().recognises(source)
        count = len(some_files(source, (ENDING,), most=MOST_FILES)) if reason else 0
        return f"{count:,} files end in {ENDING} and {reason}" if reason else None

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Keys of a frame."""
        text = json_beginning(path)
        held = f'"{PLANE}"' in text or '"people":[]' in text
        return f"holds {PLANE} of people" if held else None


@lru_cache(maxsize=4)
def _frames_of(folder: Path) -> dict[str, list[Path]]:
    """Files of each clip in a folder, in the order of their frames."""
    clips: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if is_meant(path.name) and _NAME.fullmatch(path.name):
            clips.setdefault(_named(path.name), []).append(path)
    return {clip: sorted(paths, key=_number) for clip, paths in clips.items()}


def _named(file: str) -> str:
    found = _NAME.fullmatch(file)
    if found is None:
        raise CrosscaleError(f"{file}: is not named like NAME_000000000000{ENDING}")
    return found["clip"]


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found["frame"][-18:]) if found else 0


def _people(path: Path) -> list[Mapping[str, Any]]:
    content = load_json(path)
    people = content.get("people") if isinstance(content, Mapping) else None
    if not isinstance(people, list) or not all(isinstance(one, Mapping) for one in people):
        raise BadClip(f"{path.name}: has no list of people")
    return people


def _in_space(found: Detections, places: np.ndarray) -> Detections:
    """The same with places (B, V, 3) of the camera's axes, in metres or millimetres."""
    there = np.where((places == 0).all(-1, keepdims=True), np.nan, places)
    millimetres = extent(there) > LONGEST_METRES
    unit = "millimetres" if millimetres else "metres"
    return replace(
        found,
        joints=there * CAMERA_TO_Y_UP * (0.001 if millimetres else 1.0),
        notes=(f"units are not said and taken to be {unit}",),
    )
