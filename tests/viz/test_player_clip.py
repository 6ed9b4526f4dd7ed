import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_pages import body, decoded

from crosscale.skeleton.layout import Layout
from crosscale.viz.player_clip import PlayedClip, node_sides, player_json, stored_clip


def test_float32_keeps_every_coordinate_and_absent_bodies(store):
    row = store.names.index("wave_1")
    told = player_json(stored_clip(store, row))
    np.testing.assert_array_equal(decoded(told), store.coordinates(row))
    assert np.isnan(decoded(told)[10:, 1]).all()
    assert told["rate"] == 25.0
    assert told["label"] == "wave"


@given(seed=st.integers(0, 99), size=st.sampled_from([2, 3]), unit=st.sampled_from([1, 1e-3, 1e6]))
def test_float16_is_off_by_no_more_than_its_rounding(seed, size, unit):
    layout = Layout.load("kinect20")
    x = body(layout, seed, frames=4, size=size) * np.float32(unit)
    told = player_json(PlayedClip("any", x, layout), "float16")
    extent = (x.max(axis=(0, 1, 2)) - x.min(axis=(0, 1, 2))).max()
    assert told["dimensions"] == size
    assert np.abs(decoded(told) - x).max() <= extent / 2 / 2048


def test_a_rate_that_is_not_known_is_null(store):
    assert player_json(stored_clip(store, store.names.index("sit_2")))["rate"] is None


def test_the_skeleton_has_each_scale_with_edges_between_its_nodes(store, kinect20):
    scales = player_json(stored_clip(store, 0))["skeleton"]["scales"]
    assert [scale["name"] for scale in scales] == ["joints", "fine", "part10", "body5"]
    for scale in scales:
        graph = kinect20.scale(scale["name"])
        pooling = np.zeros(graph.pooling.shape)
        for node, members in enumerate(scale["members"]):
            for joint, weight in members:
                pooling[node, joint] = weight
        np.testing.assert_array_equal(pooling, graph.pooling)
        assert [tuple(edge) for edge in scale["edges"]] == list(graph.edges)


@pytest.mark.parametrize("scale", ["joints", "part10", "body5"])
def test_sides_are_those_of_the_names(kinect20, scale):
    graph = kinect20.scale(scale)
    for name, side in zip(graph.names, node_sides(kinect20, graph), strict=True):
        assert side == {"left": "l", "right": "r"}.get(name.split("_")[0], "c")


def test_a_thinned_clip_keeps_first_and_last_frame_and_tells_how_many_there_were(store):
    clip = stored_clip(store, 3)
    thin = clip.thinned(7)
    assert len(thin.coordinates) == 7
    assert thin.recorded == len(clip.coordinates) == 35
    np.testing.assert_array_equal(thin.coordinates[[0, -1]], clip.coordinates[[0, -1]])
    assert clip.thinned(35) is clip
