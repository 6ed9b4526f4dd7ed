"""The canonical body: the same sixteen places whatever the sensor."""

import numpy as np
import pytest
import torch

from crosscale.data.conversion import pooling, to_layout
from crosscale.data.recordings import Recordings
from crosscale.errors import CrosscaleError
from crosscale.skeleton.canonical import canonical_pooling
from crosscale.skeleton.layout import Layout, builtin_layouts
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.performers import place
from crosscale.synthesis.programs import draw_programs

BODY, NTU = Layout.load("body16"), Layout.load("ntu25")
SENSORS = [one for one in map(Layout.load, builtin_layouts()) if "part10" in one.scales]


def places(layout: Layout, name: str) -> set[str]:
    """The joints that a place is made from."""
    row = canonical_pooling(layout)[BODY.index(name)]
    return {layout.joints[joint] for joint in np.flatnonzero(row)}


@pytest.mark.parametrize("layout", SENSORS, ids=lambda layout: layout.name)
def test_every_sensor_of_people_tells_every_place(layout):
    weights = canonical_pooling(layout)
    assert weights.shape == (16, len(layout.joints))
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    assert (weights >= 0).all()
    mirror = weights[BODY.other_side][:, layout.other_side]
    np.testing.assert_allclose(mirror, weights, rtol=1e-6, err_msg="left is not as right")


@pytest.mark.parametrize(
    ("layout", "place", "joints"),
    [
        ("kinect20", "left_elbow", {"left_elbow"}),
        ("kinect20", "right_hand", {"right_wrist", "right_hand"}),
        ("coco17", "left_hand", {"left_wrist"}),
        ("coco17", "neck", {"left_shoulder", "right_shoulder"}),
        ("blazepose33", "right_knee", {"right_knee"}),
        ("plugingait", "left_shoulder", {"left_sho"}),
        ("sbu15", "pelvis", {"left_hip", "right_hip"}),
        ("part10", "left_elbow", {"left_upper_arm"}),
        ("body16", "left_foot", {"left_foot"}),
    ],
)
def test_places_lie_where_their_joints_do(layout, place, joints):
    assert places(Layout.load(layout), place) == joints


def test_parts_pooled_from_the_body_are_those_of_the_sensor():
    """Exact where all joints of a part are places of their own; else near."""
    joints = place(draw_programs(32, Draw(0)), Draw(1), 24, Manner())
    rows = joints.permute(0, 3, 1, 2).reshape(-1, 25, 3)
    parts = torch.from_numpy(pooling(NTU, Layout.load("part10"))) @ rows
    body = torch.from_numpy(pooling(NTU, BODY)) @ rows
    again = torch.from_numpy(pooling(BODY, Layout.load("part10"))) @ body
    assert (again - parts).norm(dim=-1).max() < 1e-5


def test_recordings_are_brought_to_one_size():
    clip = np.random.default_rng(0).normal(size=(9, 1, 17, 2)).astype("f")
    coco = Layout.load("coco17")
    small, large = (
        to_layout(Recordings.of([scale * clip], 17), coco, BODY).rows for scale in (1, 500)
    )
    assert small.shape == (9, 16, 3)
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-5)


def test_animals_have_no_such_body():
    with pytest.raises(CrosscaleError, match="mouse8"):
        pooling(Layout.load("mouse8"), BODY)
