import json

import numpy as np
import pytest

from crosscale.data.clip import Clip
from crosscale.data.duplicates import check
from crosscale.data.splits import split
from crosscale.errors import CrosscaleError


def test_duplicates_across_and_within_the_parts_are_told_apart(clip, stored):
    store = stored(
        clip("train1", label="x", camera=1, seed=1),
        clip("train2", label="x", camera=2, seed=1),
        clip("train3", label="x", camera=2, seed=2),
        clip("test1", label="x", camera=3, seed=1),
        clip("test2", label="x", camera=3, seed=3),
        clip("test3", label="x", camera=3, seed=3),
        name="nwucla",
    )
    report = check(store)
    (parts,) = report.parts
    assert (parts.protocol, parts.train, parts.test) == ("xview", 3, 3)
    assert parts.duplicates == (("test1", "train1"),)
    assert parts.within_train == (("train1", "train2"),)
    assert parts.within_test == (("test2", "test3"),)
    assert report.repeated == (("train1", "train2", "test1"), ("test2", "test3"))


def test_clips_that_are_there_twice_are_told_apart_by_the_folds_that_judge_a_store(clip, stored):
    seeds = {"a": 1, "twin of a": 1, "b": 2, "c": 3, "twin of c": 3, "d": 4}
    subject = {"twin of a": 2, "b": 2, "d": 2}
    store = stored(
        *(clip(n, label="x", subject=subject.get(n, 1), seed=s) for n, s in seeds.items())
    )
    (parts,) = check(store).parts
    assert (parts.protocol, parts.folds, parts.test) == ("folds", 2, 6)
    assert set(parts.duplicates) == {("a", "twin of a"), ("twin of a", "a")}
    assert parts.within_test == (("c", "twin of c"),)


def test_where_all_clips_train_they_are_told_within_the_training_part(clip, stored):
    store = stored(clip("a", seed=1), clip("b", seed=1), clip("c", seed=2))
    (parts,) = check(store, "all").parts
    assert (parts.train, parts.test, parts.within_train) == (3, 0, (("a", "b"),))


def test_a_test_of_nothing_but_duplicates_is_told(clip, stored):
    clips = [clip(str(c), label="x", camera=c, seed=1) for c in (1, 3)]
    store = stored(*clips, name="nwucla")
    assert check(store).parts[0].duplicates == (("3", "1"),)
    assert list(split(store, "xview").tests) == ["official"]


def test_a_protocol_that_the_store_cannot_serve_is_named(clip, stored):
    store = stored(clip("a", label="x", camera=1), name="nwucla")
    report = check(store)
    assert report.parts == ()
    assert "leaves no test clip" in report.not_served["xview"]
    with pytest.raises(CrosscaleError, match="leaves no test clip"):
        check(store, "xview")


def test_a_damaged_store_is_not_judged(clip, stored):
    store = stored(clip("a"))
    path = store.path / "frames.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CrosscaleError, match="checksum differs"):
        check(store)


def test_the_public_nw_ucla_files_leak_exactly_the_listed_clips(shared, stored):
    folder = shared("data/nw-ucla")
    expected = json.loads((folder / "test_v03_with_identical_train_twin.json").read_text())
    clips = []
    for file in sorted((folder / "all_sqe").glob("*.json")):
        frames = np.array(json.loads(file.read_text())["skeletons"], np.float32)
        camera = int(file.stem[-2:])
        clips.append(Clip(file.stem, frames[:, None], ("1",), label=file.stem[:3], camera=camera))
    store = stored(*clips, name="nwucla")
    (parts,) = check(store).parts
    assert sorted(test for test, _ in parts.duplicates) == sorted(expected)
    tests = split(store, "xview").tests
    assert (len(tests["official"]), len(tests["leak_free"])) == (464, 369)
