import numpy as np
import pytest
import torch

from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform

NTU = Layout.load("ntu25")


def batch(n=2, frames=6):
    return torch.randn(n, 3, frames, 25, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "text", ["joint", "bone", "motion@part10", "joint@fine", "bone@body5", "bone_motion@body5"]
)
def test_a_stream_reads_back_as_written(text):
    assert str(Stream.parse(text)) == text


def test_the_joint_scale_goes_without_saying():
    assert Stream.parse("motion@joints") == Stream.parse("motion") == Stream("motion")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("motions", "did you mean 'motion'"),
        ("", "there are bone, bone_motion, joint, motion"),
        ("joint@", "no scale"),
        ("joint@a@b", "no scale"),
    ],
)
def test_a_wrong_stream_is_met_with_the_right_name(text, message):
    with pytest.raises(CrosscaleError, match=message):
        Stream.parse(text)


def test_a_wrong_scale_is_met_with_the_right_name():
    with pytest.raises(CrosscaleError, match="ntu25 has no scale 'parts10': did you mean 'part10'"):
        Stream.parse("joint@parts10").graph(NTU)


def test_joints_are_the_coordinates_themselves():
    x = batch()
    assert torch.equal(StreamTransform(Stream("joint"), NTU)(x), x)


def test_parts_are_means_of_their_joints_as_published(golden):
    published = np.load(golden / "part10_pooling.npz", allow_pickle=False)
    parts = StreamTransform(Stream("joint", "part10"), NTU)(torch.from_numpy(published["joints"]))
    np.testing.assert_allclose(parts, published["parts"], atol=1e-6)


@pytest.mark.parametrize("scale", NTU.scales)
def test_bones_add_up_to_the_way_from_the_centre(scale):
    graph = NTU.scales[scale]
    x = batch()
    nodes = StreamTransform(Stream("joint", scale), NTU)(x)
    bones = StreamTransform(Stream("bone", scale), NTU)(x)
    assert (bones[..., graph.centre, :] == 0).all()
    for node in range(len(graph.names)):
        way, step = torch.zeros_like(bones[..., 0, :]), node
        while step != graph.centre:
            way = way + bones[..., step, :]
            step = graph.parents[step]
        expected = nodes[..., node, :] - nodes[..., graph.centre, :]
        torch.testing.assert_close(way, expected, atol=1e-5, rtol=0)


def test_motion_leads_to_the_next_frame_and_ends_in_zero():
    x = batch()
    moved = StreamTransform(Stream("motion"), NTU)(x)
    torch.testing.assert_close(x[:, :, :-1] + moved[:, :, :-1], x[:, :, 1:])
    assert (moved[:, :, -1] == 0).all()


@pytest.mark.parametrize("scale", ["joints", "part10"])
def test_the_motion_of_bones_is_how_each_bone_changes_to_the_next_frame(scale):
    x = batch()
    bones = StreamTransform(Stream("bone", scale), NTU)(x)
    turned = StreamTransform(Stream("bone_motion", scale), NTU)(x)
    torch.testing.assert_close(bones[:, :, :-1] + turned[:, :, :-1], bones[:, :, 1:])
    assert (turned[:, :, -1] == 0).all()


@pytest.mark.parametrize("text", ["bone", "motion", "bone@part10", "motion@fine", "bone_motion"])
def test_bones_and_motion_do_not_know_where_a_body_is(text):
    transform = StreamTransform(Stream.parse(text), NTU)
    x = batch()
    torch.testing.assert_close(transform(x), transform(x + 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("text", ["joint@part10", "bone@fine", "motion", "bone_motion@part10"])
def test_absent_bodies_stay_zero_and_samples_stand_alone(text):
    transform = StreamTransform(Stream.parse(text), NTU)
    x = batch(n=3)
    x[..., 1] = 0
    assert (transform(x)[..., 1] == 0).all()
    torch.testing.assert_close(transform(x.flip(0)), transform(x).flip(0))


def test_a_transform_adds_nothing_to_a_checkpoint():
    assert not StreamTransform(Stream("bone", "part10"), NTU).state_dict()
