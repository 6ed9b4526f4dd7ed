"""Frames of people from pictures, as the JSON lines that `crosscale live` reads."""

import json
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from crosscale.data.legs import FACE
from crosscale.inference.frames import Frame
from crosscale.pose.pose_estimator import CONFIDENCE, PeopleFollower, Pixels, placed

DIGITS = 4  # of metres and seconds


def frames_of(
    pictures: Iterable[tuple[float, Pixels]],
    people: PeopleFollower,
    names: tuple[str, ...],
    tell: Callable[[str], None],
    confidence: float = CONFIDENCE,
) -> Iterator[Frame]:
    """A frame a picture, with everybody in it who can be seen whole, the face aside.

    Args:
        pictures: seconds and a picture (H, W, 3), one after the other.
        people: finds and follows them.
        names: of the V joints.
        tell: takes a message for the user, when somebody is left out for the first time.
        confidence: joints of less visibility are not seen.
    """
    needed = np.array([name not in FACE for name in names])
    told = False
    for time, picture in pictures:
        whole = {}
        for number, pose in people.step(picture, time).items():
            hidden = needed & (pose.visibility < confidence)
            joints = placed(pose, picture.shape[1], picture.shape[0])
            if hidden.any() and not told:
                told = True
                tell(
                    f"{names[int(np.argmax(hidden))]} of person {number} is hidden or outside the "
                    "picture: people are left out while a joint is; step back, or take "
                    "--confidence 0 to have such joints guessed"
                )
            if not hidden.any() and np.isfinite(joints).all():
                whole[str(number)] = joints.astype(np.float32)
        yield Frame(time, whole)


def frame_line(frame: Frame) -> str:
    """A frame as JSON, as `crosscale.inference.frames.parse_frame` reads it."""
    people = [
        {"id": name, "joints": joints.astype(float).round(DIGITS).tolist()}
        for name, joints in frame.people.items()
    ]
    return json.dumps({"time": round(frame.time, DIGITS), "people": people}, allow_nan=False)
