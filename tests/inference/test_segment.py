from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscale.data.clip import Clip
from crosscale.data.recordings import Recordings
from crosscale.errors import CrosscaleError
from crosscale.inference import segment as segment_module
from crosscale.inference.head import make_head
from crosscale.inference.labels import label_names
from crosscale.inference.segment import Timing, segment
from crosscale.inference.windows import Windows
from crosscale.skeleton.layout import Layout

RATE = 20.0


@pytest.fixture(scope="module")
def head(model, store):
    return make_head("linear", 0.02).fit(model.embed(store), label_names(store).astype(str))


def found(store, model, head, window=2.0, step=0.25):
    timing = Timing.of(store, window, step)
    return pa.concat_tables(table for table in segment(store, timing, model, head)).to_pylist()


@given(
    frames=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    length=st.integers(2, 30),
    step=st.integers(1, 20),
)
def test_windows_cover_every_frame_and_are_parts_of_the_recording(frames, length, step):
    bodies = 2
    clips = [
        np.arange(n * bodies * 20 * 3, dtype=np.float32).reshape(n, bodies, 20, 3) + 1e5 * i
        for i, n in enumerate(frames)
    ]
    count = len(frames)
    windows = Windows.over(
        Recordings.of(clips, 20),
        Layout.load("kinect20"),
        np.full(count, length),
        np.full(count, step),
    )
    whole = windows.recordings(range(len(windows)))
    for i, (clip, begin) in enumerate(zip(windows.clip, windows.begin, strict=True)):
        size = min(length, frames[clip])
        assert whole.frames[i] == size
        rows = whole.rows[whole.first[i] : whole.first[i] + size * bodies]
        np.testing.assert_array_equal(
            rows.reshape(size, bodies, 20, 3), clips[clip][begin : begin + size]
        )
    for i, n in enumerate(frames):
        begins = windows.begin[windows.clip == i]
        assert begins[0] == 0
        assert begins[-1] == max(0, n - length)
        assert (np.diff(begins) > 0).all()
        assert (np.diff(begins) <= step).all()


def test_boundaries_between_actions_are_found_within_a_window(write_store, model, head, act):
    order = ["bow", "wave", "hop", "bow", "hop"]
    parts = [act(action, frames=100, seed=900 + i) for i, action in enumerate(order)]
    long = write_store("long", [Clip("day", np.concatenate(parts), ("0",), frame_rate=RATE)])
    rows = found(long, model, head)
    longest = [max(rows, key=lambda row: overlap(row, 5 * i, 5 * i + 5)) for i in range(5)]
    assert [row["label"] for row in longest] == order
    for i, row in enumerate(longest):
        assert row["start"] == pytest.approx(5 * i, abs=2.0)
        assert row["end"] == pytest.approx(5 * i + 5, abs=2.0)
    assert {row["unit"] for row in rows} == {"s"}
    assert all(0 < row["probability"] <= 1 for row in rows)
    assert all(a["end"] <= b["start"] for a, b in pairwise(rows))
    assert rows[-1]["end"] <= 25


def overlap(row, start, end):
    return min(row["end"], end) - max(row["start"], start)


def test_what_is_no_known_action_or_shows_nobody_is_a_gap(write_store, model, head, act):
    bow = act("bow", frames=120, seed=5)
    nobody = np.full((120, 1, 20, 3), np.nan, np.float32)
    long = write_store(
        "gap", [Clip("day", np.concatenate([bow, nobody, bow]), ("0",), frame_rate=RATE)]
    )
    rows = found(long, model, head)
    covered = sum(max(0, overlap(row, 7.5, 10.5)) for row in rows)
    assert covered == 0
    assert {row["label"] for row in rows if overlap(row, 1, 5) > 2} == {"bow"}
    assert {row["label"] for row in rows if overlap(row, 13, 17) > 2} == {"bow"}


@pytest.mark.parametrize(("gap", "names"), [(20, False), (7, False), (3, True)])
def test_frames_that_show_nobody_are_named_only_where_they_are_fewer_than_a_step(
    gap, names, write_store, model, store, act
):
    bow = act("bow", frames=100, seed=5)
    nobody = np.full((gap, 1, 20, 3), np.nan, np.float32)
    clip = Clip("day", np.concatenate([bow, nobody, bow]), ("0",), frame_rate=RATE)
    rejects_nothing = make_head("linear", 0).fit(model.embed(store), label_names(store).astype(str))
    rows = found(write_store("short", [clip]), model, rejects_nothing)
    covered = sum(max(0, overlap(row, 5, 5 + gap / RATE)) for row in rows)
    assert covered == pytest.approx(gap / RATE if names else 0)
    assert sum(row["end"] - row["start"] for row in rows) == pytest.approx(10 + covered)


def test_windows_part_by_part_give_what_all_at_once_give(
    write_store, model, head, act, monkeypatch
):
    clips = [
        Clip(f"day{i}", act(action, frames=60 + 31 * i, seed=i), ("0",))
        for i, action in enumerate(["bow", "wave", "hop", "wave"])
    ]
    store = write_store("days", clips)
    whole = found(store, model, head, window=40, step=10)
    monkeypatch.setattr(segment_module, "CHUNK", 7)
    again = found(store, model, head, window=40, step=10)
    assert len(whole) == len(again)
    for one, other in zip(whole, again, strict=True):
        assert one["unit"] == "frames"
        assert one == {**other, "probability": pytest.approx(other["probability"], abs=1e-4)}


def test_an_instant_is_named_by_all_windows_around_it():
    def named(likely, known, shown):
        both = np.stack([likely, 1 - likely], axis=1)
        return segment_module._smoothed(both, np.array(known, bool), np.array(shown, bool), 1)

    likely = np.array([0.9, 0.9, 0.3, 0.9])  # of class 0, else class 1
    codes, probabilities = named(likely, [1, 1, 1, 0], [1, 1, 1, 1])
    assert codes.tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(probabilities, [0.9, 0.7, 0.7, 0.6])  # means of neighbours
    codes, probabilities = named(np.array([0.2, 0.2, 0.2]), [1, 0, 0], [1, 1, 0])
    assert codes.tolist() == [1, 1, -1]  # the last window shows nobody
    np.testing.assert_allclose(probabilities[:2], [0.8, 0.8])
    codes, _ = named(likely, [1, 0, 0, 0], [1, 1, 1, 1])
    assert codes.tolist() == [0, -1, -1, -1]


def test_neighbouring_equal_windows_are_one_segment_with_their_mean(write_store, act, monkeypatch):
    store = write_store("two", [Clip(n, act("bow", frames=50), ("0",)) for n in ("a", "b")])
    # Windows of 20 frames begin at 0, 10, 20 and 30; their middles are 10, 20, 30 and 40.
    smoothed = iter(
        [
            (np.array([0, 0, 1, -1]), np.array([0.5, 0.7, 0.9, np.nan])),
            (np.array([1, 1, -1, 0]), np.array([0.8, 0.6, np.nan, 0.4])),
        ]
    )
    monkeypatch.setattr(segment_module, "_judged", lambda *_: (None, None, None))
    monkeypatch.setattr(segment_module, "_smoothed", lambda *_: next(smoothed))
    head = type("Head", (), {"classes_": np.array(["x", "y"])})
    rows = found(store, None, head, window=20, step=10)
    keys = ("clip", "start", "end", "label", "probability")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("a", 0, 25, "x", pytest.approx(0.6)),
        ("a", 25, 35, "y", 0.9),
        ("b", 0, 25, "y", pytest.approx(0.7)),
        ("b", 35, 50, "x", 0.4),
    ]


def test_windows_without_a_frame_and_mixed_rates_are_refused(write_store, act):
    known = Clip("a", act("bow"), ("0",), frame_rate=RATE)
    unknown = Clip("b", act("bow"), ("0",))
    with pytest.raises(CrosscaleError, match="but not of b"):
        Timing.of(write_store("mixed", [known, unknown]), 2, 0.5)
    with pytest.raises(CrosscaleError, match="no frame rates, so both count frames"):
        Timing.of(write_store("unknown", [unknown]), 2.0, 0.25)
    with pytest.raises(CrosscaleError, match="too short"):
        Timing.of(write_store("known", [known]), 0.05, 0.05)
