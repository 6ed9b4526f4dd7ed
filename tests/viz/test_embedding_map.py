import numpy as np
import pytest
from player_pages import WICKED, assert_needs_no_network, decoded, page_data

from crosscale.data.splits import split
from crosscale.errors import CrosscaleError
from crosscale.models.model import load
from crosscale.viz import embedding_map as mapping
from crosscale.viz.embedding_map import frames_kept, map_html, sampled


@pytest.fixture(scope="module")
def model():
    return load("parts")


def make(store, model, clips=100):
    parts = split(store, "random_subjects")
    rows = sampled(len(store), clips, 0)
    frames = frames_kept(store, rows)
    return map_html(store, model, rows, frames, parts, seed=0, title=f"Map {WICKED}")


def test_a_map_has_a_dot_a_clip_with_its_class_part_and_skeleton(store, model):
    html = make(store, model)
    assert_needs_no_network(html)
    assert WICKED not in html
    told = page_data(html)
    assert [clip["name"] for clip in told["clips"]] == store.names
    assert told["labels"] == store.labels.tolist()
    parts = split(store, "random_subjects")
    assert [i for i, part in enumerate(told["parts"]) if part == "train"] == parts.train.tolist()
    points = np.array(told["points"])
    assert points.shape == (6, 2)
    assert np.ptp(points, axis=0).max() == pytest.approx(1, abs=1e-4)
    for row, clip in enumerate(told["clips"]):
        x = store.coordinates(row)
        np.testing.assert_allclose(decoded(clip), x, atol=np.nanmax(np.abs(x)) / 1024)


def test_where_no_clip_tests_none_is_marked(store, model):
    rows = np.arange(len(store))
    html = map_html(store, model, rows, 12, split(store, "all"), seed=0, title="Map")
    assert set(page_data(html)["parts"]) == {""}
    assert "in protocol" not in html


def test_the_same_embeddings_make_the_same_bytes(store, model):
    assert make(store, model) == make(store, model)


def test_too_few_clips_make_no_map(store, model):
    with pytest.raises(CrosscaleError, match="at least 4 clips"):
        make(store, model, clips=3)


def test_a_sample_is_drawn_by_the_seed_and_in_order():
    assert sampled(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    drawn = sampled(1000, 50, 7)
    assert len(set(drawn.tolist())) == 50
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, sampled(1000, 50, 7))
    assert not np.array_equal(drawn, sampled(1000, 50, 8))


def test_as_many_frames_are_kept_as_fit_a_page(store, monkeypatch):
    rows = np.arange(len(store))
    assert frames_kept(store, rows) == 48
    bytes_a_frame = 7 * 20 * 3 * 2  # seven bodies in six clips
    monkeypatch.setattr(mapping, "COORDINATES", 20 * bytes_a_frame)
    assert frames_kept(store, rows) == 20
    monkeypatch.setattr(mapping, "COORDINATES", 11 * bytes_a_frame)
    with pytest.raises(CrosscaleError, match="6 clips are too many for one page: say --clips 5"):
        frames_kept(store, rows)
