"""From the bodies of each frame to one track a person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscale.data.tracks import BRIDGE_FRAMES, Sightings, people
from crosscale.errors import BadClip

JOINTS = 5


def person(x, wide=0.4, sway=0.0):
    """Somebody upright at x, (V, 3) metres."""
    across = np.linspace(-wide / 2, wide / 2, JOINTS)
    return np.stack([x + across + sway, np.linspace(-0.8, 0.8, JOINTS), np.full(JOINTS, 3)], axis=1)


def chair(x):
    """Wider than tall."""
    return person(x, wide=2.0)


def recording(*frames):
    """Sightings from frames of (id, joints)."""
    rows = [(t, name, joints) for t, bodies in enumerate(frames) for name, joints in bodies]
    return Sightings(
        len(frames),
        np.array([t for t, _, _ in rows], np.int64),
        [name for _, name, _ in rows],
        np.array([joints for *_, joints in rows], np.float32).reshape(-1, JOINTS, 3),
    )


def centres(bodies):
    """(T, M) where on the x axis each body is, NaN where absent."""
    return bodies.coordinates[..., 0].mean(-1)


def test_people_keep_their_slots_when_their_order_flips():
    a, b = ("1", person(-0.6)), ("2", person(0.6))
    found = people(recording(*[[a, b]] * 6, *[[b, a]] * 6))
    np.testing.assert_allclose(centres(found), np.tile([-0.6, 0.6], (12, 1)), atol=1e-6)
    assert found.ids == ("1", "2")
    assert found.notes == ()


def test_a_person_whose_id_changes_is_one_person():
    found = people(recording(*[[("1", person(-0.6))]] * 6, *[[("8", person(-0.6))]] * 6))
    assert found.coordinates.shape == (12, 1, JOINTS, 3)
    assert not np.isnan(found.coordinates).any()
    assert found.ids == ("1",)
    assert found.notes == ("changes of a body's id bridged: 1",)


def test_people_who_both_change_id_and_order_stay_apart():
    before = [("1", person(-0.6)), ("2", person(0.6))]
    after = [("9", person(0.6)), ("10", person(-0.6))]
    found = people(recording(*[before] * 5, *[after] * 7))
    np.testing.assert_allclose(centres(found), np.tile([-0.6, 0.6], (12, 1)), atol=1e-6)


def test_an_id_may_change_several_times_and_across_a_gap():
    frames = [[(str(t // 4), person(0.02 * t))] if t % 4 else [] for t in range(1, 16)]
    found = people(recording(*frames))
    assert found.coordinates.shape[:2] == (15, 1)
    assert np.isnan(found.coordinates[:, 0, 0, 0]).tolist() == [not bodies for bodies in frames]
    assert "changes of a body's id bridged: 3" in found.notes
    assert "frames without the body inside a track: 3" in found.notes


@pytest.mark.parametrize(("x", "gap"), [(0.6, 0), (0.0, BRIDGE_FRAMES)], ids=["far", "long after"])
def test_who_appears_elsewhere_or_much_later_is_somebody_else(x, gap):
    first, second = [("1", person(0.0))], [("2", person(x))]
    found = people(recording(*[first] * 6, *[[]] * gap, *[second] * 6))
    assert found.coordinates.shape[:2] == (12 + gap, 2)


def test_two_ids_at_one_time_are_never_joined():
    found = people(recording(*[[("1", person(0)), ("2", person(0.1))]] * 6))
    assert found.coordinates.shape[1] == 2


def test_one_id_twice_in_a_frame_is_two_people():
    found = people(recording(*[[("0", person(-1)), ("0", person(1))]] * 6))
    assert found.ids == ("0", "0'")
    np.testing.assert_allclose(centres(found)[0], [-1, 1], atol=1e-6)


def test_chairs_are_dropped_beside_people():
    found = people(recording(*[[("7", chair(1)), ("1", person(-1)), ("2", person(2))]] * 20))
    assert found.ids == ("1", "2")
    assert found.notes == ("bodies wider than high that move no more than others dropped: 1",)


def test_who_moves_is_kept_before_furniture_however_wide():
    lying = [chair(0) + 0.1 * np.sin(t / 5) for t in range(40)]
    furniture = [("7", person(1)), ("8", person(2))]
    found = people(recording(*[[*furniture, ("1", joints)] for joints in lying]))
    assert found.ids == ("1", "7")
    np.testing.assert_allclose(found.coordinates[:, 0], np.float32(lying))
    assert found.notes == ("further bodies dropped, there shorter or moving less: 1",)


def test_furniture_that_flickers_is_dropped_beside_a_calm_person():
    draws = np.random.default_rng(0)
    frames = [
        [("7", chair(1) + draws.normal(0, 0.1, (JOINTS, 3))), ("1", person(0, sway=0.03 * t / 40))]
        for t in range(40)
    ]
    assert people(recording(*frames)).ids == ("1",)


def test_a_wide_body_alone_is_kept():
    assert people(recording(*[[("7", chair(1))]] * 20)).ids == ("7",)


def test_in_pictures_and_among_animals_a_wide_body_is_as_good_as_another():
    wide, high = [("1", chair(0))], [("2", person(3))]
    found = people(recording(*[wide + high] * 20), upright=False)
    assert (found.ids, found.notes) == (("1", "2"), ())


def test_bodies_of_the_plane_keep_two_coordinates():
    seen = recording(*[[("1", person(0))]] * 3)
    flat = Sightings(seen.frames, seen.frame, seen.ids, seen.joints[..., :2])
    assert people(flat).coordinates.shape == (3, 1, JOINTS, 2)


def test_a_person_who_lies_down_at_the_end_is_kept():
    down = person(0)[:, [1, 0, 2]]
    found = people(
        recording(
            *[[("1", person(0)), ("2", person(2))]] * 10, *[[("1", down), ("2", person(2))]] * 10
        )
    )
    assert set(found.ids) == {"1", "2"}


def test_the_two_who_are_there_longest_and_move_most_are_kept():
    frames = [
        [
            ("passer", person(-2)) if t < 20 else ("still", person(0)),
            ("still", person(0)) if t < 20 else ("actor", person(1, sway=0.2 * (t % 2))),
            *([("actor", person(1, sway=0.2 * (t % 2)))] if t < 20 else []),
        ]
        for t in range(60)
    ]
    found = people(recording(*frames))
    assert found.ids == ("actor", "still")
    assert found.notes == ("further bodies dropped, there shorter or moving less: 1",)
    assert people(recording(*frames), max_bodies=3).ids == ("actor", "still", "passer")


def test_a_flash_of_a_body_is_dropped_beside_a_long_track_only():
    flash = [("1", person(0)), ("2", person(2))]
    long = people(recording(*[flash] * 3, *[[("1", person(0))]] * 40))
    assert long.ids == ("1",)
    assert long.notes == ("brief bodies dropped: 1",)
    assert people(recording(*[flash] * 3, *[[("1", person(0))]] * 6)).ids == ("1", "2")


def test_an_absent_body_is_nan_never_zero():
    late = recording(*[[("1", person(0))]] * 5, *[[("1", person(0)), ("2", person(1))]] * 5)
    found = people(late)
    assert np.isnan(found.coordinates[:5, 1]).all()
    assert not np.isnan(found.coordinates[5:]).any()
    assert found.notes == ()  # who comes late leaves no gap


def test_empty_frames_are_trimmed_at_the_ends_and_kept_inside():
    body = [("1", person(0))]
    found = people(recording([], [], body, [], body, body, []))
    assert np.isnan(found.coordinates[:, 0, 0, 0]).tolist() == [False, True, False, False]
    assert found.notes == (
        "empty frames trimmed at the start: 2",
        "empty frames trimmed at the end: 1",
        "empty frames inside: 1",
        "frames without the body inside a track: 1",
    )


def test_bodies_without_a_place_are_left_out():
    nowhere = ("2", np.zeros((JOINTS, 3)))
    found = people(recording(*[[("1", person(0)), nowhere]] * 4))
    assert found.ids == ("1",)
    assert found.notes == ("bodies at the origin left out: 4",)
    with pytest.raises(BadClip, match="none of the 4 frames shows a body"):
        people(recording(*[[nowhere]] * 4))


def test_a_recording_is_cut_after_so_many_frames():
    frames = [[("1", person(0))]] * 310 + [[("1", person(0)), ("late", person(2))]] * 20
    found = people(recording(*frames))
    assert found.coordinates.shape[:2] == (300, 1)
    assert found.notes == ("frames cut after the first 300: 30",)
    assert people(recording(*frames), max_frames=320).coordinates.shape[:2] == (320, 2)


def test_the_published_rule_takes_bodies_by_their_place_in_each_frame():
    a, b = ("1", person(-0.6)), ("2", person(0.6))
    found = people(recording([], [a, b], [b, a], [b], []), rule="position")
    np.testing.assert_allclose(
        centres(found),
        [[np.nan, np.nan], [-0.6, 0.6], [0.6, -0.6], [0.6, np.nan], [np.nan, np.nan]],
        atol=1e-6,
    )


def test_the_published_rule_cuts_too():
    found = people(recording(*[[("1", person(0))]] * 5), rule="position", max_frames=3)
    assert len(found.coordinates) == 3
    with pytest.raises(BadClip, match="none of the first 3 frames"):
        people(recording(*[[]] * 3, [("1", person(0))]), rule="position", max_frames=3)


@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_order_in_the_file_does_not_matter(random, people_there):
    frames = [[(str(i), person(2.0 * i)) for i in range(people_there)] for _ in range(12)]
    shuffled = [random.sample(bodies, len(bodies)) for bodies in frames]
    one, other = (people(recording(*f), max_bodies=3) for f in (frames, shuffled))
    assert sorted(one.ids) == sorted(other.ids)
    for name in one.ids:
        np.testing.assert_array_equal(
            one.coordinates[:, one.ids.index(name)], other.coordinates[:, other.ids.index(name)]
        )
