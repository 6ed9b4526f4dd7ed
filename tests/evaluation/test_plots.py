import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from crosscale.evaluation.plots import class_colours, confusion_svg, curves_svg, map_svg, tsne


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def confusion(classes):
    return np.eye(classes, dtype=np.int64) * 3 + 1


def test_few_classes_are_named_and_every_cell_gives_its_share():
    words = texts(confusion_svg(confusion(3), ["$a$", "<b>", "喝水"]))
    assert {"$a$", "<b>", "喝水"} <= set(words)
    assert words.count("67") == 3  # 4 of 6 clips
    assert words.count("17") == 6


def test_many_classes_are_named_too_and_their_cells_are_left_empty():
    words = texts(confusion_svg(confusion(60), [f"action {i}" for i in range(60)]))
    assert all(words.count(f"action {i}") == 2 for i in range(60))
    assert not {"2", "6"} & set(words)


def test_a_class_without_clips_is_an_empty_row():
    empty = confusion(3)
    empty[1] = 0
    assert texts(confusion_svg(empty, ["a", "b", "c"])).count("67") == 2


@pytest.mark.parametrize("classes", [3, 12, 40])
def test_the_map_names_each_class_that_it_shows(classes):
    points = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    labels = np.arange(80) % (classes - 1)  # the last class has no clip
    words = texts(map_svg(points, labels, [f"action {i}" for i in range(classes)]))
    assert "action 1" in words
    assert f"action {classes - 1}" not in words


def test_curves_have_a_title_each_and_a_legend_where_lines_have_names():
    words = texts(curves_svg({"loss": {"joint": ([1, 2], [3, 4])}, "rate": {"": ([1], [0.1])}}))
    assert {"loss", "rate", "joint", "epoch"} <= set(words)


def test_pictures_are_the_same_each_time():
    one, two = (confusion_svg(confusion(4), list("abcd")) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("clips", [4, 50])
def test_t_sne_maps_few_and_many_clips_the_same_each_time(clips):
    vectors = np.random.default_rng(0).normal(size=(clips, 5)).astype(np.float32)
    one, two = (tsne(vectors, seed=1) for _ in range(2))
    assert one.shape == (clips, 2)
    np.testing.assert_array_equal(one, two)


def test_there_is_no_map_of_too_few_clips_or_of_clips_all_alike():
    assert tsne(np.eye(3, dtype=np.float32), seed=0) is None
    assert tsne(np.ones((50, 5), np.float32), seed=0) is None


@pytest.mark.parametrize("count", [5, 9, 10, 20, 40])
def test_colours_of_classes_differ_and_stand_out_from_white_and_from_a_dark_page(count):
    colours = np.array(class_colours(count))
    linear = np.where(colours < 0.04, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminance + 0.05)).min() > 2
    assert ((luminance + 0.05) / (0.0103 + 0.05)).min() > 2.8
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2)) > 0.08
