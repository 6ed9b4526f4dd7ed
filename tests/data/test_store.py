import json
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.data.store_files import digest
from crosscale.errors import BadClip, CrosscaleError
from crosscale.skeleton.layout import Layout


def test_clips_come_back_as_they_went_in(clip, stored):
    clips = [
        clip("b", frames=3, bodies=2, label="wave", subject=4, camera=1, setup=2, repetition=9),
        clip("a", frames=1, frame_rate=30.0, notes=("gap of 3 frames",)),
    ]
    clips[0].coordinates[1, 1] = np.nan
    store = stored(*clips)
    assert store.names == ["b", "a"]
    assert len(store) == 2
    for i, one in enumerate(clips):
        np.testing.assert_array_equal(store.coordinates(i), one.coordinates)
    row_b, row_a = store.table.to_pylist()
    assert (row_b["subject"], row_b["camera"], row_b["setup"], row_b["repetition"]) == (4, 1, 2, 9)
    assert row_b["body_ids"] == ["0", "1"]
    assert row_a["notes"] == ["gap of 3 frames"]
    assert row_a["frame_rate"] == 30.0


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(shapes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=8))
def test_any_lengths_and_body_counts_keep_their_blocks_apart(clip, kinect20, tmp_path, shapes):
    clips = [clip(str(i), frames=t, bodies=m) for i, (t, m) in enumerate(shapes)]
    path = tmp_path / "any"
    with StoreWriter(path, name="any", layout=kinect20, overwrite=True) as writer:
        for one in clips:
            writer.add(one)
    store = ClipStore.open(path)
    for i, one in enumerate(clips):
        np.testing.assert_array_equal(store.coordinates(i), one.coordinates)


def test_frames_are_a_plain_npy_and_layout_travels_along(clip, stored, kinect20):
    store = stored(clip("a", frames=3, bodies=2), clip("b"))
    frames = np.load(store.path / "frames.npy", allow_pickle=False)
    assert frames.shape == (3 * 2 + 5, 20, 3)
    assert store.layout.to_dict() == kinect20.to_dict()


def test_coordinates_are_a_view_that_cannot_change_the_file(clip, stored):
    x = stored(clip("a")).coordinates(0)
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 0


def test_class_names_found_in_the_clips_are_ordered_as_people_count(clip, stored):
    store = stored(*(clip(c, label=c) for c in ("a10", "a2", "a1")), clip("none"))
    assert store.classes == ("a1", "a2", "a10")
    np.testing.assert_array_equal(store.labels, [2, 1, 0, -1])


def test_given_class_names_keep_their_order_even_where_no_clip_has_them(clip, stored):
    store = stored(clip("x", label="walk"), classes=("walk", "run", "sit"))
    assert store.classes == ("walk", "run", "sit")
    with pytest.raises(BadClip, match="y: 'fly' is not one of the 3 classes"):
        stored(clip("y", label="fly"), name="other", classes=("walk", "run", "sit"))


def test_unknown_values_are_minus_one_and_nan(clip, stored):
    store = stored(clip("a"), clip("b", subject=3, frame_rate=25.0))
    np.testing.assert_array_equal(store.column("subject"), [-1, 3])
    np.testing.assert_array_equal(store.column("frame_rate"), [np.nan, 25.0])
    with pytest.raises(CrosscaleError, match="no column actor; it has name,"):
        store.column("actor")


def test_a_name_taken_twice_and_a_foreign_skeleton_are_refused(clip, stored, tmp_path):
    with pytest.raises(BadClip, match="a: another clip has this name"):
        stored(clip("a", seed=1), clip("a", seed=2))
    small = clip("b")
    object.__setattr__(small, "coordinates", small.coordinates[:, :, :17])
    with pytest.raises(BadClip, match="b: has 17 joints, layout kinect20 has 20"):
        stored(small)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_writing_stops(clip, kinect20, tmp_path):
    def interrupted():
        with StoreWriter(tmp_path / "s", name="s", layout=kinect20) as writer:
            writer.add(clip("a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_store_without_clips_is_not_made(kinect20, tmp_path):
    with (
        pytest.raises(CrosscaleError, match="there is no clip to store"),
        StoreWriter(tmp_path / "s", name="s", layout=kinect20),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_one_line(clip, kinect20, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crosscale.data.store.pq.write_table", full)
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*s: No space left on device"),
        StoreWriter(tmp_path / "s", name="s", layout=kinect20) as writer,
    ):
        writer.add(clip("a"))
    assert list(tmp_path.iterdir()) == []


def test_only_a_store_is_ever_replaced_and_only_when_asked(clip, stored, tmp_path):
    stored(clip("a"))
    with pytest.raises(CrosscaleError, match=r"exists already; .*--overwrite"):
        stored(clip("b"))
    assert stored(clip("b"), overwrite=True).names == ["b"]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(CrosscaleError, match="thesis exists and is not a clip store"):
        stored(clip("a"), name="thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").exists()


def test_a_reader_keeps_what_it_opened_while_the_store_is_replaced(clip, stored):
    old = stored(clip("a", seed=1))
    new = stored(clip("a", seed=2), overwrite=True)
    np.testing.assert_array_equal(old.coordinates(0), clip("a", seed=1).coordinates)
    np.testing.assert_array_equal(new.coordinates(0), clip("a", seed=2).coordinates)


def test_opening_while_another_replaces_gives_one_or_the_other(clip, stored):
    path = stored(*(clip(f"x{i}") for i in range(3))).path
    stop = threading.Event()

    def replace():
        size = 3
        while not stop.is_set():
            size = 8 - size
            stored(*(clip(f"x{i}") for i in range(size)), overwrite=True)

    other = threading.Thread(target=replace)
    other.start()
    try:
        for _ in range(40):
            store = ClipStore.open(path)
            assert len(store) in (3, 5)
            last = len(store) - 1
            np.testing.assert_array_equal(store.coordinates(last), clip(f"x{last}").coordinates)
    finally:
        stop.set()
        other.join()


def test_opening_says_what_is_not_a_store(clip, stored, tmp_path):
    with pytest.raises(CrosscaleError, match=r"does not exist; make .* crosscale prepare"):
        ClipStore.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CrosscaleError, match="is not a clip store"):
        ClipStore.open(tmp_path / "empty")
    (tmp_path / "empty" / "store.json").write_text("{")
    with pytest.raises(CrosscaleError, match="is not a clip store"):
        ClipStore.open(tmp_path / "empty")


def test_a_newer_version_is_named(clip, stored):
    path = stored(clip("a")).path
    _edit(path, version=3)
    with pytest.raises(CrosscaleError, match=r"version 3, .* reads version 2 and version 1"):
        ClipStore.open(path)


def test_a_store_in_shards_is_read_as_the_one_of_one_file(clip, stored):
    clips = [clip(str(i), frames=3 + i % 4, bodies=1 + i % 2, label=f"a{i % 3}") for i in range(11)]
    whole, cut = stored(*clips), stored(*clips, name="mine2", shard_clips=4)
    assert (whole.shards, cut.shards) == (1, 3)
    assert cut.table.equals(whole.table)
    for i, one in enumerate(clips):
        np.testing.assert_array_equal(cut.coordinates(i), one.coordinates)
    for chosen in ([], [5], [9, 0, 4, 3, 9], range(11)):
        some, same = cut.recordings(chosen).alone(), whole.recordings(chosen).alone()
        np.testing.assert_array_equal(some.rows, same.rows)
        np.testing.assert_array_equal(some.frames, same.frames)
    cut.verify()


def test_a_shard_that_is_missing_or_of_another_store_is_named(clip, stored):
    path = stored(*(clip(str(i)) for i in range(4)), shard_clips=2).path
    with (path / "frames-00001.npy").open("r+b") as file:
        file.seek(-7, 2)
        file.write(b"\x01")
    with pytest.raises(CrosscaleError, match=r"frames-00001.npy has changed"):
        ClipStore.open(path).verify()
    (path / "frames-00001.npy").unlink()
    with pytest.raises(CrosscaleError, match=r"frames-00001.npy cannot be read"):
        ClipStore.open(path)
    with pytest.raises(CrosscaleError, match="a shard cannot hold 0 clips"):
        stored(clip("a"), name="none", shard_clips=0)


def test_an_incomplete_description_is_named(clip, stored):
    path = stored(clip("a")).path
    description = json.loads((path / "store.json").read_text())
    del description["layout"], description["sha256"]
    (path / "store.json").write_text(json.dumps(description))
    with pytest.raises(CrosscaleError, match="lacks layout, sha256"):
        ClipStore.open(path)


@pytest.mark.parametrize("kept", [0, 50, 200, -4])
def test_truncated_frames_are_noticed_on_opening(clip, stored, kept: int):
    path = stored(clip("a")).path
    whole = (path / "frames.npy").read_bytes()
    (path / "frames.npy").write_bytes(whole[:kept])
    with pytest.raises(CrosscaleError, match=r"frames.npy has [\d,]+ bytes, not the 1,328 written"):
        ClipStore.open(path)


@pytest.mark.parametrize("file", ["frames.npy", "clips.parquet"])
def test_a_missing_file_is_named(clip, stored, file: str):
    path = stored(clip("a")).path
    (path / file).unlink()
    with pytest.raises(CrosscaleError, match=f"{file} cannot be read"):
        ClipStore.open(path)


def test_a_damaged_table_is_named(clip, stored):
    path = stored(clip("a")).path
    (path / "clips.parquet").write_bytes(b"PAR1" + b"\0" * 40)
    with pytest.raises(CrosscaleError, match=r"clips.parquet cannot be read"):
        ClipStore.open(path)
    pq.write_table(pa.table({"name": ["a"]}), path / "clips.parquet")
    with pytest.raises(CrosscaleError, match="does not have the columns"):
        ClipStore.open(path)


def test_a_table_of_other_clips_is_noticed(clip, stored):
    one, two = stored(clip("a")).path, stored(clip("a"), clip("b"), name="two").path
    (one / "clips.parquet").write_bytes((two / "clips.parquet").read_bytes())
    with pytest.raises(CrosscaleError, match=r"describes 10 rows of frames, but there are 5"):
        ClipStore.open(one)


def test_verify_finds_a_single_changed_byte(clip, stored):
    store = stored(clip("a"), clip("b"))
    store.verify()
    with (store.path / "frames.npy").open("r+b") as file:
        file.seek(-7, 2)
        file.write(b"\x01")
    ClipStore.open(store.path)
    with pytest.raises(CrosscaleError, match=r"frames.npy has changed since it was written"):
        store.verify()


def test_the_fingerprint_tells_the_clips_and_not_where_or_when_they_were_stored(clip, stored):
    def prepared(*clips):
        return stored(*clips, overwrite=True)

    before = prepared(clip("a", label="bow"), clip("b"))
    again = prepared(clip("a", label="bow"), clip("b"))
    assert before.provenance["written"] != again.provenance["written"]
    assert before.fingerprint == again.fingerprint
    others = [prepared(clip("a"), clip("b")), prepared(clip("a", label="bow"), clip("b", frames=9))]
    assert len({before.fingerprint, *(store.fingerprint for store in others)}) == 3


def test_equal_coordinates_have_equal_digests():
    x = np.random.default_rng(0).normal(size=(4, 2, 3, 3)).astype(np.float32)
    x[1, 1], x[0, 0, 0, 0] = np.nan, 0.0
    other_nan, minus_zero = x.copy(), x.copy()
    other_nan[1, 1] = np.frombuffer(b"\x01\x00\xc0\xff", "<f4")[0]
    minus_zero[0, 0, 0, 0] = -0.0
    assert digest(x) == digest(other_nan) == digest(minus_zero)
    assert digest(x) != digest(x.reshape(8, 1, 3, 3))
    assert digest(x) != digest(np.nextafter(x, np.float32(9)))


def _edit(path: Path, **changes) -> None:
    description = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps(description | changes))


def test_a_store_holds_clips_in_the_plane_or_in_space_but_not_both(tmp_path):
    flat = np.random.default_rng(0).normal(size=(5, 1, 20, 2)).astype(np.float32)
    deep = np.random.default_rng(0).normal(size=(5, 1, 20, 3)).astype(np.float32)
    layout = Layout.load("kinect20")
    with StoreWriter(tmp_path / "flat", name="own", layout=layout) as writer:
        writer.add(Clip("a", flat, ("0",)))
        with pytest.raises(BadClip, match="in the plane and in space apart"):
            writer.add(Clip("b", deep, ("0",)))
    store = ClipStore.open(tmp_path / "flat")
    np.testing.assert_array_equal(store.coordinates(0), flat)
