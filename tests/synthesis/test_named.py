"""Named actions: that each looks like what it is called, and what a camera makes of it."""

import numpy as np
import pytest
import torch

from crosscale.errors import CrosscaleError
from crosscale.synthesis.camera import Camera, about
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.named import MOST_CLASSES, NAMED_ACTIONS, action, program
from crosscale.synthesis.performers import JOINTS, place
from crosscale.synthesis.programs import Programs, mirrored
from crosscale.synthesis.recording import ClipName, perform_scene

FRAMES = (40, 110)
NAMES = [entry.name for entry in NAMED_ACTIONS]
AHEAD = np.array([0, -1.2, 3.0])  # of a level camera 1.2 m high, 3 m away
J = {name: index for index, name in enumerate(JOINTS)}
EXACT = Manner(**dict.fromkeys(vars(Manner()), 0.0))


def acted(name: str, seed: int) -> np.ndarray:
    """A performance (T, M, 25, 3) of a named action."""
    return perform_scene(ClipName(1, 1, 1 + NAMES.index(name), 1), seed, FRAMES)


def far(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one - other, axis=-1)


def hands(joints: np.ndarray, body: int = 0) -> np.ndarray:
    return joints[:, body, [J["left_hand"], J["right_hand"]]]


def exactly(programs: Programs, frames: int = 24) -> np.ndarray:
    """Joints (T, 25, 3) of a performance that differs from the program as little as can be."""
    return place(programs, Draw(0), frames, EXACT)[0].permute(2, 0, 1).double().numpy()


def test_where_nothing_is_named_a_body_faces_the_camera_and_stands_still():
    joints = exactly(program())
    assert np.ptp(joints, axis=0).max() < 1e-5
    assert (joints[:, J["right_hand"], 0] > 0).all()
    assert (joints[:, J["left_hand"], 0] < 0).all()
    assert (joints[:, J["left_foot"], 2] < joints[:, J["left_ankle"], 2]).all()  # toes to -z
    assert joints[..., 1].min() == pytest.approx(0, abs=1e-5)
    assert 1.4 < joints[0, J["head"], 1] < 1.8


def test_a_camera_in_front_sees_the_scene_upright_and_ahead():
    scene = exactly(program())
    seen = Camera(azimuth=0.0, distance=3.0, height=1.2, tilt=0.0).see(scene)
    np.testing.assert_allclose(seen, scene + AHEAD)


@pytest.mark.parametrize("azimuth", [-0.8, 0.8])
def test_cameras_at_the_side_see_a_body_turned_the_other_way(azimuth):
    scene = exactly(program())
    turned = scene @ about(1, azimuth).T
    seen = Camera(azimuth=azimuth, distance=3.0, height=1.2, tilt=0.0).see(turned)
    np.testing.assert_allclose(seen, scene + AHEAD, atol=1e-9)


def test_a_tilted_camera_sees_near_things_at_the_height_of_far_ones():
    level, tilted = (Camera(0.0, 3.0, 1.2, tilt).see(np.zeros(3)) for tilt in (0.0, 0.3))
    assert tilted[1] > level[1]  # what lies below comes up when the camera looks down
    assert far(level, np.zeros(3)) == pytest.approx(far(tilted, np.zeros(3)))


def test_left_handers_do_the_same_with_the_other_side():
    for entry in NAMED_ACTIONS:
        twice = mirrored(mirrored(entry.program))
        assert all(torch.equal(getattr(twice, n), getattr(entry.program, n)) for n in vars(twice))
    right, left = (exactly(p) for p in (action(6).program, mirrored(action(6).program)))
    raised = [x[:, [J["left_ankle"], J["right_ankle"]], 1].max(axis=0) for x in (right, left)]
    assert raised[0][1] > 0.4 > raised[0][0]
    assert raised[1][0] > 0.4 > raised[1][1]


@pytest.mark.parametrize("name", NAMES)
def test_bones_are_rigid_feet_on_the_floor_and_movement_smooth(name):
    joints = acted(name, seed=3)
    forearm = far(joints[:, :, J["right_wrist"]], joints[:, :, J["right_elbow"]])
    assert np.ptp(forearm, axis=0).max() < 1e-5
    assert joints[..., 1].min() > -1e-5
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
        joints = acted("push", seed)
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


def test_a_person_has_one_body_in_all_performances_and_two_are_in_time():
    one, other = (perform_scene(ClipName(3, take, 1, 1), 0, FRAMES)[:, 0] for take in (1, 2))
    for upper, lower in (("hip", "knee"), ("shoulder", "elbow")):
        lengths = [far(x[0, J[f"left_{upper}"]], x[0, J[f"left_{lower}"]]) for x in (one, other)]
        assert lengths[0] == pytest.approx(lengths[1], abs=1e-5)
    shake = acted("handshake", 0)
    heights = shake[:, :, J["right_wrist"], 1] - shake[:, :, J["right_shoulder"], 1]
    assert np.corrcoef(heights.T)[0, 1] > 0.5


def test_a_hundred_and_twenty_classes_are_different_and_some_have_two_persons():
    actions = [action(number) for number in range(1, 121)]
    assert len({entry.name for entry in actions}) == 120
    assert 15 < sum(entry.partner is not None for entry in actions) < 30
    for entry in actions[len(NAMED_ACTIONS) :]:
        assert np.ptp(exactly(entry.program), axis=0).max() > 0.1  # metres: something is done


def test_a_class_is_the_same_action_in_every_data_set():
    action.cache_clear()
    first = action(77)
    action.cache_clear()
    again = action(77)
    assert first.name == again.name
    assert all(
        torch.equal(getattr(first.program, n), getattr(again.program, n))
        for n in vars(first.program)
    )


@pytest.mark.parametrize("number", [0, 10_000])
def test_classes_that_do_not_exist_are_refused(number):
    with pytest.raises(CrosscaleError, match=f"1 to {MOST_CLASSES}"):
        action(number)
