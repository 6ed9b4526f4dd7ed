import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscale.data.gaps import fill_gaps
from crosscale.errors import BadClip
from crosscale.skeleton.layout import Layout

NAMES = ("head", "hand", "foot")


def line(frames=40):
    """Three joints that move straight, (T, 3, 3)."""
    start, speed = np.arange(9.0).reshape(3, 3), np.arange(9.0, 0, -1).reshape(3, 3)
    return (start + np.arange(frames)[:, None, None] * speed).astype(np.float32)


def test_what_is_whole_stays_as_it_is():
    done = fill_gaps(line(), NAMES, "walk")
    np.testing.assert_array_equal(done.joints, line())
    assert done.notes == ()


@given(st.integers(1, 24), st.integers(1, 15), st.integers(0, 2))
def test_a_short_gap_becomes_a_line(start, length, joint):
    broken = line()
    broken[start : start + length, joint] = np.nan
    done = fill_gaps(broken, NAMES, "walk")
    np.testing.assert_allclose(done.joints, line(), rtol=1e-5)
    assert done.notes == (f"joints missing for a moment, filled by a line: {length}",)


def test_frames_of_a_long_gap_are_left_out_and_counted():
    broken = line()
    broken[5:25, 1, 0] = np.nan
    done = fill_gaps(broken, NAMES, "walk")
    assert np.isnan(done.joints[5:25]).all()
    assert done.notes == ("frames with joints missing left out: 20",)


def test_nothing_is_made_up_beyond_the_ends():
    broken = line()
    broken[:3, 0] = broken[38:, 2] = np.nan
    done = fill_gaps(broken, NAMES, "walk")
    assert np.isnan(done.joints[[0, 1, 2, 38, 39]]).all()
    np.testing.assert_array_equal(done.joints[3:38], line()[3:38])


def test_frames_without_the_body_are_no_fault():
    broken = line()
    broken[10:30] = np.nan
    broken[35] = np.nan
    assert fill_gaps(broken, NAMES, "walk").notes == ()


def test_a_joint_that_is_hardly_seen_is_named():
    broken = line()
    broken[2:, 2] = np.nan
    with pytest.raises(BadClip, match="walk, body 0: foot is seen in 5% of the frames only"):
        fill_gaps(broken, NAMES, "walk, body 0")


def test_a_hidden_ear_lies_amid_the_face_and_a_hidden_foot_does_not():
    names = ("nose", "left_ear", "right_ear", "foot")
    joints = np.concatenate([line(), line()[:, :1] - 9], axis=1)
    broken = joints.copy()
    broken[:, 1] = np.nan
    done = fill_gaps(broken, names, "walk")
    np.testing.assert_allclose(done.joints[:, 1], (joints[:, 0] + joints[:, 2]) / 2, rtol=1e-5)
    np.testing.assert_array_equal(done.joints[:, [0, 2, 3]], joints[:, [0, 2, 3]])
    assert done.notes == ("joints of the face out of sight, put amid the others: 40",)
    broken[:, 3] = np.nan
    with pytest.raises(BadClip, match="foot is seen in 0%"):
        fill_gaps(broken, names, "walk")


def test_an_ear_hidden_for_a_moment_is_filled_by_its_own_line():
    broken = line()
    broken[5:9, 1] = np.nan
    done = fill_gaps(broken, ("nose", "left_ear", "foot"), "walk")
    np.testing.assert_allclose(done.joints, line(), rtol=1e-5)


def test_a_face_out_of_sight_as_a_whole_is_missing():
    broken = line()
    broken[10:30, :2] = np.nan
    done = fill_gaps(broken, ("nose", "left_ear", "foot"), "walk")
    assert np.isnan(done.joints[10:30]).all()


def test_in_pictures_joints_may_be_lost_for_long():
    """Lines go over gaps of any length, and places are held at the ends."""
    there = line()[..., :2]
    broken = there.copy()
    broken[5:35, 1] = np.nan
    broken[:3, 2] = broken[12:, 2] = np.nan
    broken[20] = np.nan  # nobody
    done = fill_gaps(broken, NAMES, "walk")
    shown = np.arange(40) != 20
    np.testing.assert_allclose(done.joints[shown, :2], there[shown, :2], rtol=1e-5)
    np.testing.assert_array_equal(done.joints[3:12, 2], there[3:12, 2])
    assert (done.joints[:3, 2] == there[3, 2]).all()
    assert (done.joints[12:, 2][shown[12:]] == there[11, 2]).all()
    assert np.isnan(done.joints[20]).all()
    broken[3:8, 2] = np.nan
    with pytest.raises(BadClip, match="foot is seen in 10% of the frames only"):
        fill_gaps(broken, NAMES, "walk")


COCO = Layout.load("coco17").joints


def somebody(frames=20):
    """(T, 17, 2) who stands with a torso of 50 and sways, y up."""
    height = {"shoulder": 150, "elbow": 125, "wrist": 100, "hip": 100, "knee": 57.5, "ankle": 17.5}
    side = {"left": 1, "right": -1}
    still = [
        (side.get(name.split("_")[0], 0) * 17.5, height.get(name.split("_")[-1], 175))
        for name in COCO
    ]
    return np.array(still) + np.linspace(0, 9, frames)[:, None, None] * [1, 0]


@pytest.mark.parametrize("turn", [[[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [-1, 0]]])
def test_legs_that_are_never_in_sight_lie_in_line_with_the_torso(turn):
    """Of people who stand, in a picture with y up or down, and who lie."""
    there = somebody() @ np.array(turn)
    below = [j for j, name in enumerate(COCO) if name.endswith(("knee", "ankle"))]
    broken = there.copy()
    broken[1:, below] = np.nan
    done = fill_gaps(broken, COCO, "desk")
    np.testing.assert_allclose(done.joints, there, atol=1e-6)
    assert done.notes == (f"joints of legs out of sight, put as of somebody who stands: {19 * 4}",)


@pytest.mark.parametrize("up", [1, -1])
def test_hips_that_are_never_in_sight_lie_below_the_shoulders(up):
    there = somebody() * [1, up]
    broken = there.copy()
    broken[:, 11:] = np.nan
    done = fill_gaps(broken, COCO, "desk").joints
    np.testing.assert_array_equal(done[:, :11], there[:, :11])
    torso = done[:, 11:13].mean(1) - done[:, 5:7].mean(1)
    np.testing.assert_allclose(torso, np.tile([0, -up * 49], (20, 1)), atol=1e-6)
    assert (np.diff(done[:, [11, 13, 15], 1], axis=1) * up < -30).all()


def test_legs_that_are_in_sight_for_a_while_stay_where_they_are():
    """Also beside a hip that is never in sight."""
    there = somebody()
    broken = there.copy()
    broken[12:, 13:] = np.nan
    broken[:, 12] = np.nan
    flat = fill_gaps(broken, COCO, "walk").joints
    np.testing.assert_array_equal(flat[:12, 13:], there[:12, 13:])
    np.testing.assert_allclose(flat[:, 12, 1], there[:, 12, 1])
    assert np.isfinite(flat).all()
    deep = np.concatenate([broken, np.zeros((20, 17, 1))], -1)
    deep[np.isnan(broken).any(-1)] = np.nan
    deep = fill_gaps(deep, COCO, "walk").joints
    np.testing.assert_array_equal(deep[:12, 13:, :2], there[:12, 13:])
    np.testing.assert_allclose(deep[12:, 13:, 1], there[12:, 13:, 1])


@pytest.mark.parametrize("layout", ["kinect20", "ntu25", "openpose25", "blazepose33", "azure32"])
@pytest.mark.parametrize("up", [1, -1])
def test_every_sensor_may_see_the_upper_body_alone(layout, up):
    """The whole body comes out upright, whichever way y points, from one side too."""
    layout = Layout.load(layout)
    rng = np.random.default_rng(0)
    lower = [
        j
        for j, name in enumerate(layout.joints)
        if any(
            word in name
            for word in ("hip", "knee", "ankle", "foot", "heel", "toe", "spine", "pelvis")
        )
        and name not in ("spine_shoulder", "spine_chest")
    ]
    joints = rng.normal([0, 1, 0], 0.01, size=(8, len(layout.joints), 3))
    head = [j for j, name in enumerate(layout.joints) if name in ("head", "nose")]
    joints[:, head, 1] = 1.3
    elbows = [j for j, name in enumerate(layout.joints) if name.endswith("elbow")]
    joints[:, elbows, 1] = 0.72
    joints = joints * [1, up, 1]
    joints[:, lower] = np.nan
    done = fill_gaps(joints, layout.joints, "desk").joints
    assert np.isfinite(done).all()
    height = (done * up)[..., 1].mean(0)
    assert height[list(layout.hips)] == pytest.approx([0.5] * 2, abs=0.05)
    assert height[layout.joints.index("left_ankle")] == pytest.approx(-0.33, abs=0.1)
