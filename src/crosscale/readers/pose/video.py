"""Video files, whose people become skeletons of MediaPipe's 33 landmarks.

Coordinates are metres with y up. x and y are from the middle of the picture, z is from the middle
of each body's own hips: one camera does not tell how far away somebody is.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscale.data.detections import Detections
from crosscale.errors import BadClip
from crosscale.pose.blazepose import BlazePose
from crosscale.pose.pictures import ENDINGS, open_video
from crosscale.pose.pose_estimator import CONFIDENCE, PeopleFollower, placed
from crosscale.readers.base import Item
from crosscale.readers.pose.estimated import Estimated
from crosscale.readers.pose.mediapipe import LAYOUT
from crosscale.skeleton.layout import Layout

NO_DEPTH = "how far away people are is not known, z is from their own hips"


@dataclass(frozen=True)
class Video(Estimated):
    """Videos, in which a pose estimator looks for people.

    Attributes:
        layout: blazepose33, or one with some of its joints.
        confidence: joints of less visibility are missing; 0 keeps all as the network places them.
    """

    layout: str | Layout = LAYOUT
    confidence: float | None = CONFIDENCE

    endings = ENDINGS
    what = "videos"

    def detections(self, item: Item) -> Detections:
        """Everybody in each picture of a file, followed through it.

        Raises:
            BadClip: when it cannot be decoded, has no pictures or shows nobody; names the file.
            CrosscaleError: when a library is missing.
        """
        rows: list[tuple[int, int, np.ndarray, np.ndarray]] = []
        count = 0
        with (
            open_video(item.path) as pictures,
            closing(BlazePose()) as networks,
            closing(PeopleFollower(networks)) as people,
        ):
            for time, picture in pictures:
                height, width = picture.shape[:2]
                for number, pose in people.step(picture, time).items():
                    joints = placed(pose, width, height).astype(np.float32)
                    rows.append((count, number, joints, pose.visibility.astype(np.float32)))
                count += 1
        where = item.path.name
        if not rows:
            raise BadClip(f"{where}: shows nobody in any of its {count} pictures")
        lost = max(0, pictures.told - count)
        notes = (NO_DEPTH, *((f"pictures at the end cannot be decoded: {lost}",) if lost else ()))
        frame, numbers, joints, visibility = zip(*rows, strict=True)
        return Detections(
            names=Layout.load(LAYOUT).joints,
            frame=np.array(frame),
            joints=np.stack(joints),
            confidence=np.stack(visibility),
            ids=[str(number) for number in numbers],
            frames=np.arange(count),
            frame_rate=pictures.frame_rate,
            notes=notes,
        )

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Its ending."""
        return "is a video by its ending"
