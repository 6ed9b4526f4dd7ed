import copy

import numpy as np
import pytest
import yaml

from crosscale.errors import CrosscaleError
from crosscale.skeleton.adjacency import partitioned_adjacency
from crosscale.skeleton.layout import Layout, builtin_layouts

LAYOUTS = builtin_layouts()


def test_both_kinects_are_built_in():
    assert {"ntu25", "kinect20"} <= set(LAYOUTS)


@pytest.mark.parametrize(
    ("scale", "key"),
    [("joints", "ntu25_spatial"), ("part10", "part10_spatial"), ("body5", "body5_spatial")],
)
def test_capped_adjacency_equals_the_published_one(golden, scale, key):
    published = np.load(golden / "adjacency.npz")[key]
    ours = partitioned_adjacency(Layout.load("ntu25").scale(scale), "capped")
    np.testing.assert_allclose(ours, published, atol=1e-6)


def test_part_pooling_equals_the_published_one(golden):
    numbers = np.load(golden / "part10_pooling.npz")
    pooling = Layout.load("ntu25").scale("part10").pooling
    pooled = np.einsum("pv,nctvm->nctpm", pooling, numbers["joints"])
    np.testing.assert_allclose(pooled, numbers["parts"], atol=1e-5)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_scale_is_a_tree_whose_nodes_are_means_of_joints(name):
    layout = Layout.load(name)
    for graph in layout.scales.values():
        assert len(graph.edges) == len(graph.names) - 1
        np.testing.assert_allclose(graph.pooling.sum(axis=1), 1)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("hops", ["exact", "capped"])
def test_every_node_receives_a_total_weight_of_one(name, hops):
    for graph in Layout.load(name).scales.values():
        adjacency = partitioned_adjacency(graph, hops)
        np.testing.assert_allclose(adjacency.sum(axis=(0, 1)), 1, rtol=1e-6)


def test_true_hops_tell_inward_from_outward_edges_everywhere():
    graph = Layout.load("ntu25").scale("joints")
    itself, outer, inner = partitioned_adjacency(graph, "true") > 0
    assert itself.sum() == 25
    assert outer.sum() == inner.sum() == 24


@pytest.mark.parametrize("name", LAYOUTS)
def test_left_and_right_are_paired_by_name(name):
    layout = Layout.load(name)
    for left, right in layout.pairs:
        assert layout.joints[left].replace("left", "right") == layout.joints[right]
    assert layout.shoulders in layout.pairs
    assert layout.hips in layout.pairs


def test_the_fine_scale_puts_a_node_in_the_middle_of_every_bone():
    layout = Layout.load("kinect20")
    fine = layout.scale("fine")
    joints = np.random.default_rng(0).normal(size=(20, 3))
    nodes = fine.pooling @ joints
    middle = nodes[fine.names.index("left_elbow_bone")]
    ends = joints[[layout.index("left_elbow"), layout.index("left_shoulder")]]
    np.testing.assert_allclose(middle, ends.mean(axis=0))


def test_a_layout_survives_being_written_and_read(tmp_path):
    layout = Layout.load("ntu25")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(layout.to_dict(), sort_keys=False))
    again = Layout.load(path)
    assert again.joints == layout.joints
    assert again.parents == layout.parents
    np.testing.assert_array_equal(again.scale("part10").pooling, layout.scale("part10").pooling)


def test_joints_in_another_order_are_mapped_by_name():
    layout = Layout.load("kinect20")
    theirs = list(reversed(layout.joints))
    order = layout.order_from(theirs)
    assert [theirs[i] for i in order] == list(layout.joints)


def test_a_missing_joint_is_named():
    layout = Layout.load("kinect20")
    with pytest.raises(CrosscaleError, match=r"missing.*head.*unknown.*skull"):
        layout.order_from(["skull" if j == "head" else j for j in layout.joints])


def _with_weights(weights):
    source = copy.deepcopy(Layout.load("kinect20").to_dict())
    source["scales"]["part10"]["parts"]["torso"] = weights
    return source


def test_joints_of_a_part_may_have_weights():
    layout = Layout.from_dict(_with_weights({"spine": 3, "head": 1.0}))
    torso = layout.scale("part10").pooling[0]
    expected = {layout.index("spine"): 0.75, layout.index("head"): 0.25}
    assert {j: float(w) for j, w in enumerate(torso) if w} == expected
    assert Layout.from_dict(layout.to_dict()).scale("part10").pooling[0].tolist() == torso.tolist()


@pytest.mark.parametrize("weight", [0, -1, "x", True, None])
def test_a_weight_that_is_no_number_above_0_is_told(weight):
    told = f"gives spine the weight {weight} under part torso, not a number above 0"
    with pytest.raises(CrosscaleError, match=told):
        Layout.from_dict(_with_weights({"spine": weight}))


@pytest.mark.parametrize("name", ["coco17", "coco18", "openpose25", "blazepose33"])
def test_torso_and_head_of_a_picture_lie_where_those_of_a_sensor_do(name):
    """Along the line from hips to shoulders; NW-UCLA's medians are 0.27 and 1.46."""
    layout = Layout.load(name)
    heights = np.zeros(len(layout.joints))
    for joint, height in (("shoulder", 1.0), ("ear", 1.41)):  # an adult's, by the body's height
        for side in ("left", "right"):
            heights[layout.index(f"{side}_{joint}")] = height
    torso, head = layout.scale("part10").pooling[:2] @ heights
    assert torso == pytest.approx(0.27, abs=0.05)
    assert head == pytest.approx(1.46, abs=0.06)


def _broken(**changes):
    source = copy.deepcopy(Layout.load("kinect20").to_dict())
    source.update(changes)
    return source


def _with_scale(**entries):
    return _broken(scales={"mine": {"centre": "trunk", **entries}})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "not a mapping"),
        ({"name": "x"}, "lacks"),
        (_broken(colour="red"), "unknown entries colour"),
        (_broken(centre="tail"), "'tail' under centre"),
        (_broken(shoulders=["left_shoulder"]), r"\[left, right\]"),
        (_broken(joints=["head", "head"]), "head twice"),
        (_broken(root=None), "a list of names under root"),
        (_broken(root=[]), "a list of names under root"),
        (_broken(scales=["part10"]), "a mapping of names to scales"),
        (_with_scale(parts=["trunk"], edges=[]), "a mapping of parts to their joints"),
        (_with_scale(parts={"trunk": ["head"]}, edges=None), "edges, each of two parts"),
        (_with_scale(parts={"trunk": ["head"]}, edges=["trunk"]), "edges, each of two parts"),
        ({"name": "x", "joints": ["nose"], "parents": {}}, "two joints or more"),
    ],
)
def test_a_broken_layout_says_what_is_wrong(source, message):
    with pytest.raises(CrosscaleError, match=message):
        Layout.from_dict(source)


def test_a_loop_among_the_parents_is_refused():
    source = _broken()
    source["parents"]["head"] = "left_hand"
    source["parents"]["left_shoulder"] = "head"
    told = r"never reaches the centre, \w+, from \w+: .* take out the line"
    with pytest.raises(CrosscaleError, match=told):
        Layout.from_dict(source)


def test_an_unknown_layout_says_how_to_list_the_known_ones():
    with pytest.raises(CrosscaleError, match="crosscale list layouts"):
        Layout.load("octopus")
