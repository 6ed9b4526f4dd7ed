"""`crosscale live` and `crosscale camera`, which gives it frames."""

import sys
from contextlib import closing
from pathlib import Path

from crosscale.cli.console import plain_console, until_nobody_reads
from crosscale.errors import CrosscaleError
from crosscale.inference.camera import frame_line, frames_of
from crosscale.pose.blazepose import BlazePose
from crosscale.pose.pictures import open_camera, open_video
from crosscale.pose.pose_estimator import CONFIDENCE, PeopleFollower
from crosscale.readers.pose.mediapipe import LAYOUT
from crosscale.skeleton.layout import Layout


def live(
    run: Path,
    *,
    head: Path,
    layout: str,
    window: float = 2.0,
    step: float = 0.5,
    socket: str | None = None,
    device: str = "cpu",
) -> None:
    """Name what people do while frames come in: JSON lines in, JSON lines out.

        sensor | crosscale live runs/nwucla --head mine.head --layout kinect20

    A line in is one frame, with x, y, z (or x, y) of each joint in the layout's order, in metres,
    y up; whom the frame does not show is left out:

        {"time": 12.03, "people": [{"id": "7", "joints": [[0.1, 0.9, 2.0], ...]}]}

    A line out is one answer for one person, at each step, from half a window on:

        {"time": 12.03, "id": "7", "label": "sit down", "probability": 0.91,
        "runner_up": "stand up", "runner_up_probability": 0.05, "frames": 60, "delay": 0.021}

    delay is in seconds, from when the newest frame was read until the answer was sent. A wrong line
    is answered with {"line": 3, "error": "..."}, and the next one is read. People who are not seen
    for as long as a window are forgotten.

    Args:
        head: a head saved by `crosscale classify --subclips --save`.
        layout: the skeleton of the frames, a built-in name or a YAML file.
        window: seconds that an answer looks back, about two thirds as long as the labelled clips.
        step: seconds from one answer to the next.
        socket: HOST:PORT of this machine to listen at instead of standard input, such as
            127.0.0.1:7000; answers go back to the one who sends frames.
    """
    from crosscale.inference.features import saved
    from crosscale.inference.live import LiveClassifier
    from crosscale.inference.stream import answer_lines, listen
    from crosscale.models.model import load

    model = load(run, device=device)
    fitted, embedder = saved(head, model)
    skeleton = Layout.load(layout)

    def make() -> LiveClassifier:
        return LiveClassifier(embedder, fitted.head, skeleton, window, step)

    if socket is not None:
        errors = plain_console(stderr=True)
        listen(socket, make, errors.print)
        return
    # With a buffer of its own: the lock of Python's would be held by the reading thread at the end.
    source = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115
    with until_nobody_reads():
        answer_lines(make(), source.readline, lambda line: print(line, flush=True))


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
    names = Layout.load(LAYOUT).joints
    with (
        opened as pictures,
        closing(BlazePose()) as networks,
        closing(PeopleFollower(networks)) as people,
        until_nobody_reads(),
    ):
        for frame in frames_of(pictures, people, names, errors.print, confidence):
            print(frame_line(frame), flush=True)
