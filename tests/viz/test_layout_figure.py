import io

import numpy as np
import pytest
from PIL import Image
from player_pages import assert_needs_no_network

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout, builtin_layouts
from crosscale.viz.layout_figure import layout_facts, layout_png, left_out, write_layout
from crosscale.viz.layout_places import mean_pose, tree_places

PEOPLE = [name for name in builtin_layouts() if "part10" in Layout.load(name).scales]


@pytest.mark.parametrize("name", PEOPLE)
def test_a_layout_is_laid_out_as_a_person_who_faces_the_viewer(name):
    layout = Layout.load(name)
    places = tree_places(layout)
    for left, right in layout.pairs:
        np.testing.assert_allclose(places[left] * [-1, 1], places[right], atol=1e-12)
        assert places[left][0] > 0
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    assert apart[~np.eye(len(places), dtype=bool)].min() > 0.2
    assert places[list(layout.shoulders), 1].mean() > places[list(layout.hips), 1].mean()
    legs = [i for i, joint in enumerate(layout.joints) if "ankle" in joint]
    assert (places[legs, 1] < places[list(layout.hips), 1].min()).all()


def test_a_tail_goes_on_below_the_hips_of_an_animal():
    layout = Layout.load("mouse13")
    height = dict(zip(layout.joints, tree_places(layout)[:, 1], strict=True))
    assert height["nose"] > height["neck"] > height["back"] > height["tail_base"]
    assert height["tail_base"] > height["tail_tip"]


def test_the_mean_pose_of_a_store_faces_the_viewer(store, kinect20):
    places = mean_pose(kinect20, store)
    across = places[list(kinect20.shoulders)].sum(axis=0) * [1, 0]
    ends = places[[*kinect20.shoulders, *kinect20.hips], 0]
    assert places.shape == (20, 2)
    assert np.isfinite(across).all()
    assert ends[0] + ends[2] > ends[1] + ends[3]  # the person's left on the viewer's right


def test_an_animal_seen_from_above_heads_up_whichever_way_it_ran(tmp_path):
    mouse = Layout.load("mouse8")
    pose = {"nose": 3, "neck": 2, "left_ear": 2.5 + 1j / 2, "right_ear": 2.5 - 1j / 2, "back": 0}
    pose |= {"left_hip": -1 + 1j, "right_hip": -1 - 1j, "tail_base": -2}  # heads to x
    complex_pose = np.array([pose[joint] for joint in mouse.joints])
    with StoreWriter(tmp_path / "mice", name="mice", layout=mouse) as writer:
        for i in range(12):
            turned = complex_pose * np.exp(2j * np.pi * i / 12)
            x = np.stack([turned.real, turned.imag], -1).astype(np.float32)
            writer.add(Clip(f"mouse {i}", np.repeat(x[None, None], 5, axis=0), ("0",)))
    places = mean_pose(mouse, ClipStore.open(tmp_path / "mice"))
    at = dict(zip(mouse.joints, places, strict=True))
    assert at["nose"][1] > at["neck"][1] > at["back"][1] > at["tail_base"][1]
    assert abs(at["nose"][0]) < 1e-3
    for joint in ("ear", "hip"):
        assert at[f"left_{joint}"][0] < -0.05
        np.testing.assert_allclose(at[f"left_{joint}"] * [-1, 1], at[f"right_{joint}"], atol=1e-3)


def test_a_store_of_other_joints_gives_no_pose(store):
    with pytest.raises(CrosscaleError, match="whose joints are not those of ntu25"):
        mean_pose(Layout.load("ntu25"), store)


def test_the_picture_is_the_same_twice_and_pages_need_no_network(kinect20, tmp_path):
    places = tree_places(kinect20)
    picture = layout_png(kinect20, places)
    assert picture == layout_png(kinect20, places)
    assert np.array(Image.open(io.BytesIO(picture)).convert("L")).std() > 5
    html = write_layout(tmp_path / "k.html", kinect20, places).read_text()
    assert_needs_no_network(html)
    for joint in kinect20.joints:
        assert f">{joint}</td>" in html
    with pytest.raises(CrosscaleError, match=r"\.png or \.html"):
        write_layout(tmp_path / "k.bmp", kinect20, places)


def test_facts_tell_what_the_layout_says(kinect20):
    facts = layout_facts(kinect20)
    assert facts["joints"] == "20"
    assert facts["edges"] == "19"
    assert facts["pairs"].startswith("8 of left and right; without a side: hip_centre, spine")
    assert facts["scales"] == "joints (20), fine (39), part10 (10), body5 (5)"


def test_joints_that_a_scale_leaves_out_are_told(kinect20):
    source = kinect20.to_dict()
    parts = source["scales"]["body5"]["parts"]
    changed = {**parts, "left_leg": ["left_hip", "left_knee"]}
    scales = {"body5": {**source["scales"]["body5"], "parts": changed}}
    layout = Layout.from_dict({**source, "scales": scales})
    assert left_out(layout, layout.scale("body5")) == ["left_ankle", "left_foot"]
    assert left_out(kinect20, kinect20.scale("body5")) == []
