import dataclasses

import numpy as np
import pytest
from player_pages import WICKED, assert_needs_no_network, decoded, page_data

from crosscale.errors import CrosscaleError
from crosscale.viz import page
from crosscale.viz.page import clips_html
from crosscale.viz.player_clip import rows_of, stored_clip


@pytest.fixture
def clips(store):
    return [stored_clip(store, row) for row in range(len(store))]


def test_a_page_holds_its_clips_whole_and_needs_no_network(store, clips):
    html = clips_html(clips, "Clips", "All.")
    assert_needs_no_network(html)
    told = page_data(html)
    assert [clip["name"] for clip in told["clips"]] == store.names
    for row, clip in enumerate(told["clips"]):
        np.testing.assert_array_equal(decoded(clip), store.coordinates(row))


def test_wicked_names_stay_text(clips):
    html = clips_html(clips, WICKED, WICKED)
    assert WICKED not in html
    assert "<script>alert" not in html
    assert page_data(html)["clips"][-1]["name"] == WICKED


def test_the_same_clips_make_the_same_bytes(clips):
    assert clips_html(clips, "Clips", "") == clips_html(clips, "Clips", "")


def test_too_many_or_too_long_clips_are_refused(clips, monkeypatch):
    with pytest.raises(CrosscaleError, match="66 skeletons are too many for one page"):
        clips_html(clips * 11, "Clips", "")
    long = dataclasses.replace(clips[0], coordinates=np.zeros((200_000, 1, 20, 3), np.float32))
    with pytest.raises(CrosscaleError, match="48 MB of coordinates, too many"):
        clips_html([long], "Clips", "")
    monkeypatch.setattr(page, "PANELS", 66)
    assert len(page_data(clips_html(clips * 11, "Clips", ""))["clips"]) == 66


def test_clips_are_found_by_name_and_the_nearest_is_told(store):
    assert rows_of(store, ["wave_2", "sit_1"]) == [3, 0]
    with pytest.raises(CrosscaleError, match=r"no clip 'wave_3': did you mean 'wave_[12]'"):
        rows_of(store, ["sit_1", "wave_3"])
    with pytest.raises(CrosscaleError, match=r"no clip 'qqqq': did you mean 'sit_1', "):
        rows_of(store, ["qqqq"])


def test_without_names_the_first_clip_of_each_class_is_shown(store):
    shown = rows_of(store, [])
    assert sorted(store.names[row] for row in shown) == ["jump_1", "sit_1", "wave_1"]
