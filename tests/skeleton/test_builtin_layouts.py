"""Parts mean the same in every layout of the package."""

import pytest

from crosscale.skeleton.layout import Layout, builtin_layouts

PEOPLE = [name for name in builtin_layouts() if "part10" in Layout.load(name).scales]


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("scale", ["part10", "body5"])
def test_the_graph_of_parts_is_kinects(name, scale):
    ours, kinects = Layout.load(name).scale(scale), Layout.load("kinect20").scale(scale)
    assert ours.names == kinects.names
    assert ours.parents == kinects.parents
    assert ours.centre == kinects.centre


@pytest.mark.parametrize("name", PEOPLE)
def test_left_parts_are_made_of_the_mirror_images_of_right_ones(name):
    layout = Layout.load(name)
    mirror = {i: j for pair in layout.pairs for i, j in (pair, pair[::-1])}
    for scale in ("part10", "body5"):
        graph = layout.scale(scale)
        for row, part in enumerate(graph.names):
            other = part.replace("left_", "+").replace("right_", "left_").replace("+", "right_")
            mirrored = {mirror.get(j, j) for j in graph.pooling[row].nonzero()[0].tolist()}
            assert mirrored == set(graph.pooling[graph.names.index(other)].nonzero()[0].tolist())


def test_animals_have_no_parts_of_people():
    assert set(builtin_layouts()) - set(PEOPLE) == {"mouse8", "mouse13", "quadruped17"}
