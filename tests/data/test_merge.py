import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.clip import Clip
from crosscale.data.merge import merge
from crosscale.data.splits import split
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout


def make(path, kind, layout, labels, size=3):
    """A store whose clips are of subjects 1, 2, 1 ..."""
    layout = Layout.load(layout)
    draws = np.random.default_rng(len(labels))
    with StoreWriter(path, name=kind, layout=layout) as writer:
        for i, label in enumerate(labels):
            shape = (6 + i, 1, len(layout.joints), size)
            x = draws.normal(size=shape).astype(np.float32)
            writer.add(Clip(f"c{i}", x, ("7",), label, subject=1 + i % 2, notes=("mended: 1",)))
    return ClipStore.open(path)


@pytest.fixture
def merged(tmp_path):
    stores = [
        make(tmp_path / "a", "utdmhad", "kinect20", ["wave", "throw"]),
        make(tmp_path / "b", "own", "ntu25", ["throw", None, "kick"], size=2),
    ]
    return merge(stores, tmp_path / "both")


def test_clips_of_two_sensors_lie_in_one_store_of_parts(merged):
    assert merged.names == ["utdmhad/c0", "utdmhad/c1", "own/c0", "own/c1", "own/c2"]
    assert merged.layout.name == "part10"
    assert [merged.coordinates(i).shape for i in (0, 4)] == [(6, 1, 10, 3), (8, 1, 10, 3)]
    assert merged.classes == ("kick", "throw", "wave")
    assert merged.labels.tolist() == [2, 1, 1, -1, 0]
    assert merged.column("body_ids")[0] == ["7"]


def test_each_part_is_the_mean_of_its_joints_at_one_size(merged, tmp_path):
    kinect = Layout.load("kinect20")
    source = ClipStore.open(tmp_path / "a").coordinates(0)
    part = source[:, :, [kinect.index("left_knee"), kinect.index("left_hip")]].mean(2)
    found = merged.coordinates(0)[:, :, merged.layout.index("left_thigh")]
    ratio = found / part
    np.testing.assert_allclose(ratio, ratio[0, 0, 0], rtol=1e-4)


def test_the_parts_of_the_first_protocol_are_kept(merged):
    parts = split(merged, "given")
    assert parts.train.tolist() == [0, 2, 3, 4]
    assert parts.tests["test"].tolist() == [1]


def test_one_kind_twice_is_refused(tmp_path):
    store = make(tmp_path / "a", "own", "ntu25", ["x"])
    with pytest.raises(CrosscaleError, match="2 stores hold own twice"):
        merge([store, store], tmp_path / "both")


def test_by_the_protocol_all_every_clip_trains(merged):
    parts = split(merged, "all")
    assert parts.train.tolist() == [0, 1, 2, 3, 4]
    assert parts.tests == {}


def test_stores_of_one_kind_are_told_apart_by_names_given_to_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, label in (("a", "x"), ("b", "y"), ("c", "z")):
        make(tmp_path / name, "utdmhad" if name == "c" else "own", "ntu25", [label, label])
    assert main(["data", "merge", "left=a", "right=b", "c", "--out", "both"]) == 0
    merged = ClipStore.open(tmp_path / "both")
    names = ("left", "right", "utdmhad")
    assert merged.names == [f"{name}/c{i}" for name in names for i in range(2)]
    assert [merged.classes[label] for label in merged.labels] == ["x", "x", "y", "y", "z", "z"]
    assert main(["data", "merge", "a", "own=b", "--out", "twice"]) == 2
    assert not (tmp_path / "twice").exists()
