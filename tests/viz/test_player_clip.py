from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_pages import body, decoded

from crosscale.data.store import ClipStore, StoreWriter
from crosscale.skeleton.layout import Layout
from crosscale.viz.page import view_about, view_title
from crosscale.viz.player_clip import (
    PlayedClip,
    grounded,
    node_sides,
    player_json,
    rows_of,
    stored_clip,
)

ENDS = ("shoulder", "hip")


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


@pytest.mark.parametrize("seen", [0, 3, 17, 34])
def test_a_thinned_clip_shows_whoever_is_there_for_a_moment(store, seen):
    clip = stored_clip(store, 3)
    alone = np.full_like(clip.coordinates, np.nan)
    alone[seen] = clip.coordinates[seen]
    thin = replace(clip, coordinates=alone).thinned(7)
    assert np.isfinite(thin.coordinates[..., 0, 0]).any(axis=1).sum() == 1
    assert np.isfinite(player_json(thin, "float16")["origin"]).all()


def test_shoulders_and_hips_are_joined_where_no_joint_lies_between_them():
    flat = Layout.load("coco17")
    x = np.zeros((3, 1, len(flat.joints), 2), np.float32)
    for name, place in {"nose": (0, 3), "shoulder": (0.5, 2), "hip": (0.3, 1)}.items():
        for joint in (j for j in flat.joints if j.endswith(name)):
            side = -1 if joint.startswith("right_") else 1
            x[..., flat.index(joint), :] = (side * place[0], place[1])
    both = [tuple(flat.index(f"{side}_{end}") for side in ("left", "right")) for end in ENDS]
    assert player_json(PlayedClip("a", x, flat))["bars"] == both

    kinect = Layout.load("kinect20")
    x = np.zeros((3, 1, len(kinect.joints), 3), np.float32)
    for left, right in (kinect.shoulders, kinect.hips):
        x[..., left, 0], x[..., right, 0] = 0.4, -0.4
    assert player_json(PlayedClip("a", x, kinect))["bars"] == []


def test_who_is_told_of_about_the_hips_stands_on_the_floor_all_the_time():
    layout = Layout.load("blazepose33")
    x = body(layout, 0, frames=4)
    x -= x[:, :, list(layout.root)].mean(axis=2, keepdims=True)
    x[2, ..., 1] *= 0.5  # a squat: feet nearer to the hips
    standing = grounded(x, layout)
    assert np.ptp(x[..., 1].min(axis=(1, 2))) > 0.1
    np.testing.assert_allclose(standing[..., 1].min(axis=(1, 2)), 0)
    np.testing.assert_allclose(np.diff(standing, axis=2), np.diff(x, axis=2), atol=1e-6)
    walking = x + np.linspace(0, 1, 4, dtype=np.float32)[:, None, None, None]
    assert grounded(walking, layout) is walking


def test_animals_get_no_line_that_is_meant_for_a_trunk():
    layout = Layout.load("mouse8")
    x = np.random.default_rng(0).normal(size=(3, 1, len(layout.joints), 2)).astype(np.float32)
    assert player_json(PlayedClip("a", x, layout))["bars"] == []


def test_a_title_tells_what_is_seen(store, tmp_path):
    clips = [stored_clip(store, row) for row in rows_of(store, [])]
    assert view_title(store, clips) == "mine: jump, sit, wave"
    with StoreWriter(tmp_path / "ward", name="own", layout=store.layout) as writer:
        writer.add(store[0])
    assert view_title(ClipStore.open(tmp_path / "ward"), clips[:1]) == "ward: jump"
    rows = [store.names.index("sit_2")]
    assert view_about(store, rows, chosen=True) == (
        "1 of 6 clips. Layout kinect20: 20 joints in space."
    )
