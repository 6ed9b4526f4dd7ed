"""`crosscale camera`."""

import os
import sys
from contextlib import closing
from pathlib import Path

from crosscale.cli.console import plain_console
from crosscale.errors import CrosscaleError
from crosscale.inference.camera import frame_line, frames_of
from crosscale.pose.blazepose import BlazePose
from crosscale.pose.pictures import open_camera, open_video
from crosscale.pose.pose_estimator import CONFIDENCE, PeopleFollower
from crosscale.readers.pose.mediapipe import LAYOUT
from crosscale.skeleton.layout import Layout


def camera(*, source: str = "0", confidence: float = CONFIDENCE) -> None:
    """Write what a camera sees of people as JSON lines, for `crosscale live`.

        crosscale camera | crosscale live runs/mine --head mine.head --layout blazepose33

    A line is one picture, with the 33 joints of each person in metres, y up:

        {"time": 12.03, "people": [{"id": "0", "joints": [[0.1, 0.9, -0.2], ...]}]}

    x and y are from the middle of the picture, z from the middle of the person's hips: one camera
    does not tell how far away somebody is. The encoder should have learned from the same, by
    `crosscale prepare video`, or from parts of the body.

    Args:
        source: the number of a camera, the first is 0; or a video file, which is read as fast as it
            can be.
        confidence: whoever has a joint of less visibility is left out while it is so; 0 takes all
            joints as they are guessed, outside the picture too.
    """
    if not 0 <= confidence <= 1:
        raise CrosscaleError(f"confidence goes from 0 to 1; {confidence:g} does not")
    errors = plain_console(stderr=True)
    opened = open_camera(int(source)) if source.isdecimal() else open_video(Path(source))
    with (
        opened as pictures,
        closing(BlazePose()) as networks,
        closing(PeopleFollower(networks)) as people,
    ):
        try:
            for frame in frames_of(
                pictures, people, Layout.load(LAYOUT).joints, errors.print, confidence
            ):
                print(frame_line(frame), flush=True)
        except BrokenPipeError:  # nobody reads the frames any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
