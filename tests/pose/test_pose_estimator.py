"""People are found in windows of a picture, followed, and placed in metres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscale.pose.pose_estimator import (
    MOST_FOLLOWED,
    SEARCHED,
    PeopleFollower,
    Pose,
    Region,
    placed,
    windows,
)
from pretend_networks import BODY, NAMES, PretendNetworks, painted

HIPS = [NAMES.index("left_hip"), NAMES.index("right_hip")]


def numbers(follower, pictures):
    """Who is in each picture, and where: number to x."""
    return [
        {number: round(pose.region.x) for number, pose in follower.step(picture, i / 25).items()}
        for i, picture in enumerate(pictures)
    ]


@given(width=st.integers(16, 2000), height=st.integers(16, 2000))
def test_windows_lie_in_the_picture_and_cover_it(width, height):
    whole, *squares = windows(width, height)
    assert (whole.left, whole.top, whole.width, whole.height) == (0, 0, width, height)
    for one in squares:
        assert one.width == one.height
        assert 0 <= one.left <= width - one.width
        assert 0 <= one.top <= height - one.height
    for side in {one.width for one in squares}:
        lefts = sorted({one.left for one in squares if one.width == side})
        assert lefts[0] == 0
        assert lefts[-1] == width - side
        assert all(np.diff(lefts) <= side / 2 + 1)


def test_people_keep_their_numbers_while_they_move():
    pictures = [
        painted({"red": (60 + 9 * i, 60, 80), "blue": (250 - 9 * i, 170, 80)}) for i in range(20)
    ]
    seen = numbers(PeopleFollower(PretendNetworks()), pictures)
    assert seen == [{0: 60 + 9 * i, 1: 250 - 9 * i} for i in range(20)]


def test_who_is_small_in_the_picture_is_found_in_a_window():
    picture = painted({"red": (60, 200, 60), "blue": (560, 100, 120)}, 640, 480)
    networks = PretendNetworks()
    assert len(networks.find(picture)) == 1
    assert len(PeopleFollower(networks).step(picture, 0.0)) == 2


def test_who_comes_later_is_found_and_who_goes_is_forgotten():
    both = {"red": (60, 120, 100), "blue": (250, 120, 100)}
    alone = {"red": both["red"]}
    count = SEARCHED * len(windows(320, 240))
    networks = PretendNetworks()
    people = PeopleFollower(networks)
    shown = [alone] * 3 + [both] * count + [alone] * 2 + [both] * count
    seen = numbers(people, [painted(one) for one in shown])
    assert seen[2] == {0: 60}
    assert seen[2 + count] == {0: 60, 1: 250}
    assert seen[4 + count] == {0: 60}
    assert seen[-1] == {0: 60, 2: 250}, "whoever comes back is somebody new"
    people.close()
    assert networks.followers == 0


def test_somebody_found_twice_is_one_person():
    networks = PretendNetworks(twice=True)
    people = PeopleFollower(networks)
    picture = painted({"green": (160, 120, 120)})
    assert [len(people.step(picture, t / 25)) for t in range(30)] == [1] * 30
    assert networks.followers == 1


def test_two_numbers_on_one_body_become_one():
    networks = PretendNetworks()
    people = PeopleFollower(networks)
    assert len(people.step(painted({"red": (120, 120, 100), "blue": (200, 120, 100)}), 0.0)) == 2
    # the blue one goes, and its region now shows the red one
    assert list(people.step(painted({"red": (140, 120, 100)}), 0.04)) == [0]
    assert networks.followers == 1


def test_few_windows_are_searched_once_somebody_is_there():
    networks = PretendNetworks()
    people = PeopleFollower(networks)
    picture = painted({"red": (160, 120, 120)})
    people.step(picture, 0.0)
    before = networks.searched
    for i in range(1, 41):
        people.step(picture, i / 25)
    assert networks.searched - before == 40 // SEARCHED


def test_no_more_people_are_followed_than_there_is_time_for():
    class Crowd(PretendNetworks):
        def find(self, picture):
            return [Region(100.0 * i, 50, 40) for i in range(20)]

        def look(self, picture, region, time=None):
            return Pose(BODY[:, :2] * 20 + [region.x, region.y], BODY, self.visibility, region)

    people = PeopleFollower(Crowd())
    assert len(people.step(painted({}), 0.0)) == MOST_FOLLOWED


@given(
    scale=st.floats(5, 2000),
    x=st.floats(-3, 3),
    y=st.floats(-2, 2),
    width=st.integers(50, 4000),
    height=st.integers(50, 4000),
)
def test_place_is_told_in_metres_from_the_middle_of_the_picture(scale, x, y, width, height):
    image = (BODY[:, :2] + [x, y]) * scale + np.array([width, height]) / 2
    pose = Pose(image, BODY, np.linspace(0, 1, len(NAMES)), Region(0, 0, 1))
    joints = placed(pose, width, height)
    np.testing.assert_allclose(joints[HIPS].mean(0), [-x, -y, 0], atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(joints, axis=0), axis=1),
        np.linalg.norm(np.diff(BODY, axis=0), axis=1),
        atol=1e-6,
    )


def test_axes_are_those_of_a_depth_sensor():
    """y up; a person who faces the camera has the left at smaller x, as Kinect has it."""
    pose = Pose(BODY[:, :2] * 100 + [160, 120], BODY, np.ones(len(NAMES)), Region(0, 0, 1))
    joints = dict(zip(NAMES, placed(pose, 320, 240), strict=True))
    assert joints["nose"][1] > joints["left_hip"][1] > joints["left_ankle"][1]
    assert joints["left_shoulder"][0] < joints["right_shoulder"][0]


def test_a_body_that_does_not_fit_its_picture_has_no_place():
    pose = Pose(-100 * BODY[:, :2], BODY, np.ones(len(NAMES)), Region(0, 0, 1))
    assert np.isnan(placed(pose, 320, 240)).all()


@pytest.mark.parametrize(("apart", "one"), [(0.05, True), (0.6, False)])
def test_bodies_are_one_when_their_joints_lie_together(apart, one):
    image = BODY[:, :2] * 100
    first = Pose(image, BODY, np.ones(len(NAMES)), Region(0, 0, 100))
    second = Pose(
        image + np.array([apart * 100, 0]), BODY, np.ones(len(NAMES)), Region(500, 0, 100)
    )
    assert first.same_body(second) is one
