"""Who is who in frames of pose estimators, and what counts as seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.data.detections import Detections, extent, from_image, linked, sighted
from crosscale.errors import BadClip

BODY = np.random.default_rng(0).uniform(0, 1, (9, 2)) * [0.5, 1.6]  # metres


def moved(x: float) -> np.ndarray:
    return BODY + np.array([x, 0])


def crowd(
    paths: np.ndarray, order: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, joints and true persons of bodies along paths (T, M, 2), shuffled in each frame."""
    frame, joints, truth = [], [], []
    for t, places in enumerate(paths):
        for person in order.permutation(len(places)):
            if np.isfinite(places[person]).all():
                frame.append(t)
                joints.append(BODY + places[person])
                truth.append(person)
    return np.array(frame), np.array(joints), np.array(truth)


def apart(paths: np.ndarray) -> np.ndarray:
    return paths + np.array([[2.0 * m, 0] for m in range(paths.shape[1])])


def one_to_one(ids, truth) -> bool:
    pairs = set(zip(ids, truth.tolist(), strict=True))
    return len(pairs) == len(set(ids)) == len(set(truth.tolist()))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), people=st.integers(1, 5), frames=st.integers(1, 30))
def test_people_who_stay_apart_keep_their_id(seed, people, frames):
    rng = np.random.default_rng(seed)
    paths = apart(np.cumsum(rng.uniform(-0.1, 0.1, (frames, people, 2)), axis=0) * [0.2, 1])
    paths[rng.random((frames, people)) < 0.1] = np.nan  # out of sight now and then
    frame, joints, truth = crowd(paths, rng)
    ids = linked(frame, joints)
    assert one_to_one(ids, truth)


def test_all_distances_together_decide_and_not_the_nearest_first():
    paths = np.array([[[0.0, 0], [0.3, 0]], [[0.25, 0], [0.55, 0]]])  # both a step to the right
    frame, joints, truth = crowd(paths, np.random.default_rng(1))
    assert one_to_one(linked(frame, joints), truth)


@pytest.mark.parametrize(("away", "same"), [(14, True), (15, False)])
def test_whoever_is_away_longer_than_half_a_second_is_somebody_new(away, same):
    frame = np.array([0, away + 1])
    assert (linked(frame, np.stack([BODY, BODY])) == ["0", "0"]) == same


def test_whoever_is_too_far_is_somebody_new():
    step = np.array([0.49, 0])
    assert linked(np.arange(2), np.stack([BODY, BODY + step])) == ["0", "0"]
    assert linked(np.arange(2), np.stack([BODY, BODY + 1.1 * step])) == ["0", "1"]


def test_joints_that_both_frames_show_decide():
    before, after = BODY.copy(), BODY + 0.1
    before[:4], after[5:] = np.nan, np.nan  # one joint in common
    assert linked(np.arange(2), np.stack([before, after])) == ["0", "0"]
    after[4] = np.nan
    assert linked(np.arange(2), np.stack([before, after])) == ["0", "1"]


def test_a_joint_seen_earlier_still_tells_where_somebody_was():
    rows = np.stack([BODY, BODY, BODY])
    rows[1, 1:] = np.nan
    rows[2, 0] = np.nan
    assert linked(np.arange(3), rows) == ["0", "0", "0"]


def found(joints: np.ndarray, **more) -> Detections:
    names = tuple(f"j{v}" for v in range(joints.shape[1]))
    return Detections(names, more.pop("frame", np.arange(len(joints))), joints, **more)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0, 1e6])
def test_the_unit_of_the_picture_does_not_matter(scale):
    joints = np.stack([moved(0.1 * t) for t in range(5)]) * scale
    people = sighted(found(joints), "a")
    assert people.seen.ids == ["0"] * 5
    assert extent(people.seen.joints) == pytest.approx(1.6)
    np.testing.assert_allclose(people.seen.joints * people.metre, joints)


def test_confidence_counts_in_the_plane_and_in_space_only_when_asked():
    plane = np.stack([BODY] * 3)
    confidence = np.full((3, 9), 0.9)
    confidence[0, :4] = 0.0, 0.2, 0.4, np.nan
    space = np.concatenate([plane, plane[..., :1]], axis=-1)
    missing = {}
    for name, joints, least in (
        ("plane", plane, None),
        ("space", space, None),
        ("asked", space, 0.5),
    ):
        seen = sighted(found(joints, confidence=confidence), "a", least).seen
        missing[name] = np.flatnonzero(np.isnan(seen.joints[0, :, 0])).tolist()
    assert missing == {"plane": [0, 1], "space": [0], "asked": [0, 1, 2]}
    told = sighted(found(plane, confidence=confidence), "a").notes
    assert told == ("joints of low confidence taken as missing: 1",)


def test_frames_may_be_numbered_from_anywhere_and_in_steps():
    people = sighted(found(np.stack([BODY] * 3), frame=np.array([110, 100, 104])), "a")
    assert people.seen.frame.tolist() == [0, 2, 5]
    assert people.seen.frames == 6


def test_frames_without_bodies_count():
    frames = np.arange(10)
    people = sighted(found(np.stack([BODY] * 2), frame=np.array([3, 4]), frames=frames), "a")
    assert (people.seen.frame.tolist(), people.seen.frames) == ([3, 4], 10)


def test_nobody_and_frames_out_of_all_reason_are_told():
    with pytest.raises(BadClip, match=r"^a: shows no body in any frame$"):
        sighted(found(np.full((2, 9, 2), np.nan)), "a")
    far = found(np.stack([BODY] * 3), frame=np.array([0, 1, 10**9]))
    with pytest.raises(BadClip, match=r"^a: has 3 frames numbered 0 to 1000000000"):
        sighted(far, "a")


def test_a_place_out_of_all_reason_is_told_with_its_frame_and_joint():
    joints = np.stack([BODY] * 3)
    joints[1, 4, 1] = 1e300
    with pytest.raises(BadClip, match=r"^a: frame 1: j4 lies at 1e\+300, where no body can be"):
        sighted(found(joints), "a")


def test_ids_of_the_format_are_kept():
    joints = np.stack([BODY, moved(50.0), BODY])
    people = sighted(found(joints, ids=["x", "y", "x"], frame=np.array([0, 0, 1])), "a")
    assert people.seen.ids == ["x", "y", "x"]


def test_pictures_have_y_down_and_nothing_in_the_corner():
    places = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 5.0]])
    expected = np.array([[np.nan, np.nan], [3.0, -4.0], [0.0, -5.0]])
    np.testing.assert_array_equal(from_image(places), expected)
