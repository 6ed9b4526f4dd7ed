"""Pictures become the JSON lines that `crosscale live` reads."""

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.gaps import FACE
from crosscale.inference.camera import frame_line, frames_of
from crosscale.inference.frames import Frame, parse_frame
from crosscale.pose.pose_estimator import Pose, Region, placed
from crosscale.skeleton.layout import Layout

NAMES = Layout.load("blazepose33").joints
PICTURE = np.zeros((120, 160, 3), np.uint8)
BODY = np.random.default_rng(0).normal(0, 0.5, (len(NAMES), 3))
BODY -= BODY[[NAMES.index("left_hip"), NAMES.index("right_hip")]].mean(0)


def pose(hidden=(), x=80.0):
    visibility = np.array([0.02 if name in hidden else 1.0 for name in NAMES])
    return Pose(BODY[:, :2] * 60 + [x, 60], BODY, visibility, Region(x, 60, 100))


class People:
    """Poses picture by picture, as `PeopleFollower` gives them."""

    def __init__(self, *steps):
        self.steps = iter(steps)

    def step(self, picture, time):
        return next(self.steps)


def frames(*steps, confidence=0.1):
    told = []
    pictures = [(i / 25, PICTURE) for i in range(len(steps))]
    return list(frames_of(pictures, People(*steps), NAMES, told.append, confidence)), told


def test_a_frame_a_picture_with_everybody_by_number():
    made, told = frames({}, {0: pose()}, {0: pose(), 3: pose(x=40)})
    assert [frame.time for frame in made] == [0, 1 / 25, 2 / 25]
    assert [list(frame.people) for frame in made] == [[], ["0"], ["0", "3"]]
    np.testing.assert_allclose(made[2].people["3"], placed(pose(x=40), 160, 120), atol=1e-6)
    assert not told


def test_whoever_is_not_seen_whole_is_left_out_and_told_once():
    behind = pose(hidden=("left_knee", "left_ankle"))
    made, told = frames({0: pose()}, {0: behind, 1: pose()}, {0: behind}, {0: pose()})
    assert [list(frame.people) for frame in made] == [["0"], ["1"], [], ["0"]]
    assert len(told) == 1
    assert "left_knee of person 0 is hidden or outside the picture" in told[0]


def test_hidden_joints_are_taken_when_asked_for_and_those_of_the_face_always():
    made, told = frames({0: pose(hidden=("left_knee",))}, confidence=0)
    assert list(made[0].people) == ["0"]
    made, told = frames({0: pose(hidden=FACE)})
    assert list(made[0].people) == ["0"]
    assert not told


def test_lines_are_read_back_as_they_were():
    people = {"0": BODY.astype(np.float32), "12": BODY.astype(np.float32) + 1}
    read = parse_frame(frame_line(Frame(12.03, people)), len(NAMES))
    assert read.time == 12.03
    assert list(read.people) == ["0", "12"]
    for name, joints in people.items():
        np.testing.assert_allclose(read.people[name], joints, atol=1e-4)
    assert parse_frame(frame_line(Frame(0.5, {})), len(NAMES)).people == {}


class Networks:
    """One person, always in the same place."""

    def find(self, picture):
        return [Region(80, 60, 100)]

    def look(self, picture, region, time=None):
        return pose()

    def follower(self):
        return self

    def close(self):
        pass


def test_the_command_writes_a_line_a_picture(monkeypatch, capsys, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "still.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 120))
    for _ in range(6):
        writer.write(PICTURE)
    writer.release()
    monkeypatch.setattr("crosscale.cli.live.BlazePose", Networks)
    assert main(["camera", "--source", str(path)]) == 0
    lines = [parse_frame(line, len(NAMES)) for line in capsys.readouterr().out.splitlines()]
    assert [frame.time for frame in lines] == [i / 25 for i in range(6)]
    assert all(list(frame.people) == ["0"] for frame in lines)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--source", "nowhere.mp4"], "nowhere.mp4 is no file"),
        (["--source", "9999"], "camera 9999 cannot be opened"),
        (["--confidence", "2"], "confidence goes from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, reason, capsys):
    pytest.importorskip("cv2")
    assert main(["camera", *arguments]) != 0
    assert reason in " ".join(capsys.readouterr().err.split())
