import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscale.data.conversion import Converted, in_layout, in_space, pooling, to_layout
from crosscale.data.recordings import Recordings
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout, builtin_layouts

PARTS, NTU, KINECT = (Layout.load(name) for name in ("part10", "ntu25", "kinect20"))


def recordings(layout=NTU, size=3, scale=1.0, clips=4):
    draws = np.random.default_rng(0)
    shapes = [(5 + i, 1 + i % 2, len(layout.joints), size) for i in range(clips)]
    return Recordings.of([scale * draws.normal(size=s).astype("f") for s in shapes], shapes[0][2])


def torsos(found, layout):
    upper, lower = (found.rows[:, list(pair)].mean(1) for pair in (layout.shoulders, layout.hips))
    return np.linalg.norm(upper - lower, axis=-1)


def layouts_with_parts():
    return [layout for layout in map(Layout.load, builtin_layouts()) if "part10" in layout.scales]


def test_the_ten_parts_mean_the_same_in_every_layout():
    for layout in layouts_with_parts():
        graph = layout.scale("part10")
        tree = {graph.names[child]: graph.names[parent] for child, parent in graph.edges}
        assert tree == {PARTS.joints[c]: PARTS.joints[p] for c, p in PARTS.edges}, layout.name
        assert graph.names[graph.centre] == "torso"
        assert layout.scale("body5").names == PARTS.scale("body5").names


def test_parts_are_the_means_of_their_joints():
    assert np.array_equal(pooling(PARTS, PARTS), np.eye(10))
    found = to_layout(recordings(), NTU, PARTS)
    scale = 0.5 / np.median(torsos(recordings(), NTU)[:5])
    wrist = [NTU.index(f"left_{j}") for j in ("wrist", "hand", "hand_tip", "thumb")]
    expected = recordings().rows[:5, wrist].mean(1) * scale
    np.testing.assert_allclose(found.rows[:5, PARTS.index("left_forearm")], expected, rtol=1e-5)


@given(st.floats(0.01, 1000))
def test_the_unit_of_the_recording_does_not_matter(scale):
    found = to_layout(recordings(scale=scale), NTU, PARTS).rows
    np.testing.assert_allclose(
        found, to_layout(recordings(), NTU, PARTS).rows, rtol=1e-4, atol=1e-5
    )


def test_a_body_that_is_absent_in_the_plane_is_absent_in_space():
    flat = recordings(size=2)
    flat.rows[3] = np.nan
    for found in (in_space(flat, NTU), to_layout(flat, NTU, PARTS)):
        assert np.isnan(found.rows[3]).all()
        assert np.isfinite(np.delete(found.rows, 3, axis=0)).all()


def test_clips_in_the_plane_come_into_space_with_torsos_of_half_a_metre():
    found = in_space(recordings(size=2, scale=300), NTU)
    assert (found.rows[..., 2] == 0).all()
    for clip in range(4):
        assert np.median(torsos(found, NTU)[found.clip == clip]) == pytest.approx(0.5, rel=0.3)


def test_clips_in_space_are_not_touched():
    given_ = recordings()
    assert in_space(given_, NTU) is given_


def test_the_others_of_a_store_do_not_matter():
    whole, parts = recordings(), to_layout(recordings(), NTU, PARTS)
    some = to_layout(whole.part(slice(2, 4)), NTU, PARTS)
    np.testing.assert_array_equal(some.rows, parts.rows[parts.clip >= 2])
    np.testing.assert_array_equal(some.frames, [7, 8])


def test_absent_bodies_stay_absent_and_do_not_count():
    whole = recordings()
    rows = whole.rows.copy()
    rows[1:3] = np.nan
    found = to_layout(Recordings(rows, whole.first, whole.frames, whole.bodies), NTU, PARTS).rows
    assert np.isnan(found[1:3]).all()
    assert np.isfinite(np.delete(found, [1, 2], axis=0)).all()


def test_a_layout_without_these_parts_is_refused():
    with pytest.raises(CrosscaleError, match="layout part10 cannot be brought to ntu25: it needs"):
        pooling(PARTS, NTU)
    with pytest.raises(CrosscaleError, match="layout part10 cannot be brought to kinect20"):
        Converted(type("Store", (), {"layout": PARTS})(), KINECT)


def test_animals_given_to_an_encoder_of_people_are_led_to_their_page():
    mice = type("Store", (), {"layout": Layout.load("mouse8")})()
    with pytest.raises(CrosscaleError, match=r"trained on part10.*docs/animals\.md"):
        in_layout(mice, PARTS)
    people = type("Store", (), {"layout": PARTS})()
    with pytest.raises(CrosscaleError) as refused:
        in_layout(people, NTU)
    assert "animals" not in str(refused.value)
