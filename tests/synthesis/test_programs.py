"""Programs and performances: what a body can do, what siblings share, and the same from a seed."""

import dataclasses

import pytest
import torch

from crosscale.skeleton.layout import Layout
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.performers import JOINTS, _Clock, perform, place
from crosscale.synthesis.programs import KNEE, Programs, draw_programs, siblings
from crosscale.synthesis.reaching import ELBOW
from crosscale.synthesis.sensor import mistaken, sensed

COUNT, FRAMES = 64, 48
OTHER_SIDE = Layout.load("ntu25").other_side
BONES = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")]
LEVEL = Manner(tilt=0, shift=0, sway=0, noise=0, hidden=0, lost=0, spikes=0, mistaken=0)


@pytest.fixture(scope="module")
def programs() -> Programs:
    return draw_programs(COUNT, Draw(0))


@pytest.fixture(scope="module")
def joints(programs) -> torch.Tensor:
    """(B, 25, 3, T)"""
    return place(programs, Draw(1), FRAMES, Manner())


def at(joints: torch.Tensor, name: str) -> torch.Tensor:
    return joints[:, JOINTS.index(name)]


def angle(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1).acos()


def test_the_same_seed_gives_the_same_performance_and_another_another(programs):
    one, same, other = (perform(programs, Draw(seed), FRAMES) for seed in (1, 1, 2))
    assert one.shape == (COUNT, 3, FRAMES, 25)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_bones_keep_their_length(joints):
    for side in ("left", "right"):
        for upper, lower in BONES:
            length = (at(joints, f"{side}_{upper}") - at(joints, f"{side}_{lower}")).norm(dim=1)
            assert (length.max(1).values - length.min(1).values).max() < 1e-4
            assert length.min() > 0.1
            assert length.max() < 0.8


def test_elbows_and_knees_bend_as_far_as_they_can_and_one_way(programs):
    ahead = dataclasses.replace(programs, turning=torch.zeros(COUNT))
    joints = place(ahead, Draw(1), FRAMES, Manner())
    for side in ("left", "right"):
        arm = [at(joints, f"{side}_{name}") for name in ("shoulder", "elbow", "wrist")]
        leg = [at(joints, f"{side}_{name}") for name in ("hip", "knee", "ankle")]
        # Between key poses directions are mixed, so an elbow may pass its limit by a little.
        assert angle(arm[1] - arm[0], arm[2] - arm[1]).quantile(0.99) < ELBOW + 0.3
        thigh, shank = leg[1] - leg[0], leg[2] - leg[1]
        assert angle(thigh, shank).max() < KNEE + 1e-3
        bent = thigh[:, 1] * shank[:, 2] - thigh[:, 2] * shank[:, 1]
        assert bent.max() < 1e-3  # the shank never turns forward of the thigh


def test_the_lowest_foot_stands_on_the_floor_but_in_a_jump(programs, joints):
    feet = torch.stack(
        [at(joints, f"{s}_{j}") for s in ("left", "right") for j in ("ankle", "foot")]
    )
    lowest = feet[:, :, 1].amin(0)
    stays = programs.jump == 0
    assert stays.any()
    assert (~stays).any()
    assert lowest[stays].abs().max() < 1e-4
    assert lowest[~stays].amax(1).min() > 0.01


def test_a_foot_that_bears_the_weight_does_not_slide(programs):
    walkers = dataclasses.replace(
        programs,
        walks=torch.ones(COUNT, dtype=torch.bool),
        travels=torch.ones(COUNT, dtype=torch.bool),
    )
    moved = place(walkers, Draw(3), FRAMES, Manner())
    feet = torch.stack([at(moved, "left_ankle"), at(moved, "right_ankle")], 1)[:, :, [0, 2]]
    step = feet.diff(dim=3).norm(dim=2)  # (B, 2, T - 1)
    trunk = at(moved, "spine_base")[:, [0, 2]].diff(dim=2).norm(dim=1)
    assert step.amin(1).mean() < 0.5 * trunk.mean()


def test_people_face_the_camera_with_their_right_at_positive_x(programs):
    seen = perform(programs, Draw(1), FRAMES, LEVEL)
    still = programs.turning.abs() * programs.walks < 0.5
    across = seen[..., JOINTS.index("right_hip")] - seen[..., JOINTS.index("left_hip")]
    ahead = seen[..., JOINTS.index("left_foot")] - seen[..., JOINTS.index("left_ankle")]
    assert (across[still, 0].mean(1) > 0).all()
    assert (ahead[still, 2].mean(1) < 0).all()


def test_people_reach_forward_more_than_backward(joints):
    reach = at(joints, "right_hand")[:, 2] - at(joints, "spine_base")[:, 2]
    assert reach.mean() < -0.05


def test_a_sibling_differs_in_one_thing(programs):
    other = siblings(programs, Draw(5))
    groups = {
        "pose": {"upper", "bend", "elbow", "thigh", "knee", "from_rest", "to_rest"},
        "wave": {f.name for f in dataclasses.fields(Programs) if f.name.startswith("wave")},
        "trunk": {"bow", "bow_axis", "twist", "squat", "jump"}
        | {"trunk_at", "trunk_width", "trunk_stays", "trunk_rises"},
        "walk": {"walks", "walk_from", "walk_to", "travels", "cadence", "turning", "lift"}
        | {"repeats"},
        "limbs": {"arms", "legs"},
    }
    groups["time"] = groups["pose"] | {"trunk_stays", "trunk_rises", "walk_from", "walk_to"}
    mirrored = groups["pose"] | groups["wave"] | groups["limbs"]
    for row in range(COUNT):
        changed = {
            f.name
            for f in dataclasses.fields(Programs)
            if not torch.equal(getattr(programs, f.name)[row], getattr(other, f.name)[row])
        }
        assert any(changed <= group for group in [*groups.values(), mirrored]), changed
        assert "gaps" not in changed


def test_time_runs_forward_and_key_poses_come_in_their_order(programs):
    clock = _Clock(programs, Draw(1), FRAMES, Manner())
    once = programs.repeats == 1
    assert (clock.place[once].diff(dim=1) >= 0).all()
    assert (clock.place <= programs.poses[:, None]).all()
    assert clock.share.min() >= 0
    assert clock.share.max() < 1 + 1e-5


def test_a_sensor_of_ten_parts_sees_ten(programs):
    pooling = torch.from_numpy(Layout.load("ntu25").scale("part10").pooling).float()
    seen = perform(programs, Draw(1), FRAMES, LEVEL, pooling)
    whole = perform(programs, Draw(1), FRAMES, LEVEL)
    assert torch.allclose(seen, whole @ pooling.T, atol=1e-5)


def test_some_hold_something_still_whatever_else_they_do():
    many = draw_programs(2000, Draw(4))
    upper, elbow = many.upper[:, :, :1], many.elbow[:, :, :1]
    still = ((many.upper == upper).flatten(1).all(1)) & (many.elbow == elbow).flatten(1).all(1)
    holds = still & many.arms.all(1) & ~many.waves.any(1) & ~many.from_rest & ~many.to_rest
    assert 0.05 < holds.float().mean() < 0.12
    level = dataclasses.replace(many, bow=torch.zeros(2000), twist=torch.zeros(2000))
    joints = place(
        level.take(holds & ~many.walks), Draw(1), FRAMES, dataclasses.replace(LEVEL, carelessness=0)
    )
    hands = at(joints, "left_hand") - at(joints, "right_hand")
    moved = (hands - hands[:, :, :1]).norm(dim=1).amax(1)
    assert moved.median() < 0.05  # elbows are never quite still
    free = place(many.take(~holds), Draw(1), FRAMES, LEVEL)
    hands = at(free, "left_hand") - at(free, "right_hand")
    assert (hands - hands[:, :, :1]).norm(dim=1).amax(1).median() > 0.3


def test_sensors_take_arms_for_each_other_or_legs_for_a_while(joints):
    seen = mistaken(joints, Draw(2), Manner(mistaken=1))
    differs = (seen != joints).any(2)  # (B, 25, T)
    assert (seen == torch.where(differs[:, :, None], joints[:, OTHER_SIDE], joints)).all()
    frames = differs.any(1).sum(1)
    assert frames.min() >= 2
    assert frames.max() <= FRAMES // 3
    arms = differs[:, JOINTS.index("left_wrist")].any(1)
    legs = differs[:, JOINTS.index("left_ankle")].any(1)
    assert (arms ^ legs).all()
    assert arms.any()
    assert legs.any()
    assert torch.equal(mistaken(joints, Draw(2), Manner(mistaken=0)), joints)


def test_noise_grows_with_the_distance_of_the_sensor(joints):
    noisy = dataclasses.replace(LEVEL, noise=0.02)
    errors = [
        (sensed(joints, Draw(3), dataclasses.replace(noisy, distance=far)) - joints).std((1, 2, 3))
        for far in (0, 0.4)
    ]
    ratio = errors[1] / errors[0]
    assert ratio.min() < 0.5
    assert ratio.max() > 2


def test_a_lost_joint_stays_where_it_was(programs):
    held = perform(programs, Draw(1), FRAMES, dataclasses.replace(LEVEL, lost=1.0))
    still = (held.diff(dim=2) == 0).all(1)  # (B, T - 1, 25)
    moving = perform(programs, Draw(1), FRAMES, LEVEL)
    assert (still.sum(1) > (moving.diff(dim=2) == 0).all(1).sum(1)).any(1).float().mean() > 0.5
