"""COCO's keypoints, which AlphaPose, MMPose and Ultralytics have in common."""

import re

from crosscale.errors import BadClip
from crosscale.readers.by_name import joints_of

BODY = 17
# Halpe's 26 and 136 keypoints and the 133 of COCO's whole bodies begin with those of COCO.
BEGIN_ALIKE = (BODY, 26, 133, 136)


def coco_joints(count: int, where: str) -> tuple[str, ...]:
    """Names of so many keypoints, of which the first 17 are COCO's.

    Args:
        count: of keypoints a person.
        where: the place in the file, for the message.

    Raises:
        BadClip: for a model whose keypoints do not begin with COCO's.
    """
    if count not in BEGIN_ALIKE:
        raise BadClip(
            f"{where} has {count} keypoints; the {BODY} of COCO can be read, and the 26, 133 and "
            "136 of larger models that begin with them"
        )
    return (*joints_of("coco17"), *(f"keypoint {i}" for i in range(BODY, count)))


def frame_number(name: str) -> int | None:
    """The number of a frame in the name of its picture (`video_000012.jpg`), if there is one."""
    digits = re.findall(r"\d+", name.rpartition(".")[0] or name)
    return int(digits[-1][-18:]) if digits else None
