"""The actions of synthetic data sets: that each looks like what it is called."""

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.synthesis.actions import BASE_ACTIONS
from crosscale.synthesis.actor import draw_actor
from crosscale.synthesis.body import (
    CHANNELS,
    JOINTS,
    UNIT_BONES,
    mirrored,
    place_joints,
    pose_vector,
)
from crosscale.synthesis.camera import Camera
from crosscale.synthesis.further import action, most_classes
from crosscale.synthesis.performance import perform

FRAMES = (40, 110)
NAMES = [entry.name for entry in BASE_ACTIONS]
AHEAD = np.array([0, -1.2, 3.0])  # of a level camera 1.2 m high, 3 m away
J = {name: index for index, name in enumerate(JOINTS)}


def acted(name: str, seed: int, heading: float = 0.0) -> np.ndarray:
    """A performance (T, M, 25, 3) of a base action."""
    random = np.random.default_rng(seed)
    actors = (draw_actor(random), draw_actor(random))
    return perform(BASE_ACTIONS[NAMES.index(name)], actors, heading, FRAMES, random)


def far(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one - other, axis=-1)


def hands(joints: np.ndarray, body: int = 0) -> np.ndarray:
    return joints[:, body, [J["left_hand"], J["right_hand"]]]


def still(**angles: float) -> np.ndarray:
    return place_joints(pose_vector(angles)[None], 1.7 * UNIT_BONES)[0]


def test_a_body_at_rest_faces_the_camera_with_its_right_hand_at_larger_x():
    joints = still()
    assert joints[J["right_hand"], 0] > 0 > joints[J["left_hand"], 0]
    assert joints[J["left_foot"], 2] < joints[J["left_ankle"], 2]  # toes to the camera, -z
    assert joints[:, 1].min() == pytest.approx(0)
    assert 1.5 < joints[J["head"], 1] < 1.7


def test_a_camera_in_front_sees_the_scene_upright_and_ahead():
    seen = Camera(azimuth=0.0, distance=3.0, height=1.2, tilt=0.0).see(still())
    np.testing.assert_allclose(seen, still() + AHEAD)


@pytest.mark.parametrize("azimuth", [-0.8, 0.8])
def test_cameras_at_the_side_see_a_body_turned_the_other_way(azimuth):
    scene = place_joints(pose_vector({})[None], 1.7 * UNIT_BONES, heading=azimuth)[0]
    seen = Camera(azimuth=azimuth, distance=3.0, height=1.2, tilt=0.0).see(scene)
    np.testing.assert_allclose(seen, still() + AHEAD, atol=1e-9)


def test_a_tilted_camera_sees_near_things_at_the_height_of_far_ones():
    level, tilted = (Camera(0.0, 3.0, 1.2, tilt).see(np.zeros(3)) for tilt in (0.0, 0.3))
    assert tilted[1] > level[1]  # what lies below comes up when the camera looks down
    assert far(level, np.zeros(3)) == pytest.approx(far(tilted, np.zeros(3)))


@pytest.mark.parametrize(
    ("angles", "joint", "direction"),
    [
        ({"r_flex": 90}, "right_hand", (0, 0, -1)),
        ({"l_out": 90}, "left_hand", (-1, 0, 0)),
        ({"r_out": 90}, "right_hand", (1, 0, 0)),
        ({"bend": 40}, "head", (0, 0, -1)),
        ({"lean": 30}, "head", (1, 0, 0)),
        ({"r_hip": 60}, "right_knee", (0, 0, -1)),
        ({"l_knee": 90, "l_hip": 90}, "left_knee", (0, 0, -1)),
        ({"l_spread": 30}, "left_knee", (-1, 0, 0)),
        ({"nod": 40}, "head", (0, 0, -1)),
        ({"l_elbow": 90, "l_in": 80}, "left_hand", (1, 0, 0)),
    ],
)
def test_channels_move_joints_as_they_are_described(angles, joint, direction):
    moved = (still(**angles) - still(**angles)[0]) - (still() - still()[0])
    assert moved[J[joint]] @ np.array(direction) > 0.05


def test_unknown_channels_are_refused():
    with pytest.raises(CrosscaleError, match="r_tail"):
        pose_vector({"r_tail": 10})


def test_mirroring_twice_changes_nothing():
    poses = np.random.default_rng(0).standard_normal((5, len(CHANNELS)))
    np.testing.assert_array_equal(mirrored(mirrored(poses)), poses)
    np.testing.assert_array_equal(mirrored(pose_vector({"r_flex": 9})), pose_vector({"l_flex": 9}))


@pytest.mark.parametrize("name", NAMES)
def test_bones_are_rigid_feet_on_the_floor_and_movement_smooth(name):
    joints = acted(name, seed=3)
    forearm = far(joints[:, :, J["right_wrist"]], joints[:, :, J["right_elbow"]])
    assert np.ptp(forearm, axis=0).max() < 1e-9
    assert joints[..., 1].min() > -1e-9
    speed = far(joints[1:], joints[:-1]) * 30
    assert speed.max() < 16  # metres a second


@pytest.mark.parametrize("seed", range(8))
class TestActionsLookLikeTheirNames:
    def test_drink(self, seed):
        joints = acted("drink", seed)
        assert far(hands(joints), joints[:, :1, J["head"]]).min() < 0.4

    def test_wave(self, seed):
        joints = acted("wave", seed)
        assert (hands(joints)[..., 1].max() - joints[0, 0, J["spine_shoulder"], 1]) > 0.05

    def test_clap(self, seed):
        gap = far(*hands(acted("clap", seed)).swapaxes(0, 1))
        assert gap.min() < 0.3
        assert np.ptp(gap) > 0.15

    def test_sit_down_and_stand_up(self, seed):
        sits, stands = (acted(n, seed)[:, 0, 0, 1] for n in ("sit down", "stand up"))
        assert sits[0] - sits[-1] > 0.25
        assert stands[-1] - stands[0] > 0.25

    def test_kick(self, seed):
        ankles = acted("kick", seed)[:, 0, [J["left_ankle"], J["right_ankle"]]]
        assert ankles[..., 1].max() > 0.35

    def test_pick_up(self, seed):
        assert hands(acted("pick up", seed))[..., 1].min() < 0.5

    def test_throw(self, seed):
        joints = acted("throw", seed)
        assert (far(hands(joints)[1:], hands(joints)[:-1]) * 30).max() > 2.5

    def test_jump(self, seed):
        assert acted("jump", seed)[:, 0, :, 1].min(axis=-1).max() > 0.12

    def test_bow(self, seed):
        joints = acted("bow", seed)[:, 0]
        assert np.ptp(joints[:, J["head"], 1]) > 0.15
        assert np.ptp(joints[:, 0, 1]) < 0.05

    def test_handshake(self, seed):
        joints = acted("handshake", seed)
        right = joints[:, :, J["right_hand"]]
        assert far(right[:, 0], right[:, 1]).min() < 0.5

    def test_push(self, seed):
        joints = acted("push", seed, heading=0.4)
        apart = far(joints[:, 0, 0], joints[:, 1, 0])
        assert apart[-1] - apart.min() > 0.1

    def test_squat(self, seed):
        assert np.ptp(acted("squat", seed)[:, 0, 0, 1]) > 0.3

    def test_turn_round(self, seed):
        joints = acted("turn round", seed)[:, 0]
        across = joints[:, J["right_hip"]] - joints[:, J["left_hip"]]
        assert across[0] @ across[-1] < 0

    def test_walk_towards_each_other(self, seed):
        joints = acted("walk towards each other", seed)
        apart = far(joints[:, 0, 0], joints[:, 1, 0])
        assert apart[0] - apart[-1] > 0.5
        assert apart[-1] == pytest.approx(0.6, abs=0.4)


def test_the_foot_that_bears_the_weight_does_not_slide():
    ankles = acted("squat", seed=1)[:, 0, [J["left_ankle"], J["right_ankle"]]].mean(axis=1)
    assert np.ptp(ankles[:, [0, 2]], axis=0).max() < 0.12


def test_a_hundred_and_twenty_classes_are_different_and_some_have_two_persons():
    actions = [action(number) for number in range(1, 121)]
    assert len({entry.name for entry in actions}) == 120
    assert 15 < sum(entry.partner is not None for entry in actions) < 30
    line = np.linspace(0, 1, 40)
    poses = np.stack([entry.motion.poses(line, 2 * line, 0.0) for entry in actions])
    poses = poses.reshape(120, -1)
    apart = np.sqrt(((poses[:, None] - poses[None]) ** 2).mean(axis=-1))
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 1.0  # degrees, over all channels and frames


def test_a_class_is_the_same_action_in_every_data_set():
    assert action(77) == action(77)
    assert action(77).name == "arms in turn reaches forward and holds, turned aside"


@pytest.mark.parametrize("number", [0, 10_000])
def test_classes_that_do_not_exist_are_refused(number):
    with pytest.raises(CrosscaleError, match=f"1 to {most_classes()}"):
        action(number)
