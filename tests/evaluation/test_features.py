import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.evaluation.features import Features, cached_features, features_key, merge_features


def features(**changes):
    parts = {
        "names": ["a", "b", "c"],
        "labels": np.array([1, 0, -1]),
        "classes": ["sit", "stand"],
        "vectors": {
            "joint": np.arange(6, dtype=np.float32).reshape(3, 2),
            "joint/motion": np.ones((3, 4), dtype=np.float32),
        },
    }
    return Features(**(parts | changes))


def same(one, other):
    return one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a", "b", "a"]}, "more than once: a"),
        ({"classes": ["sit", "sit"]}, "more than once: sit"),
        ({"labels": np.array([1, 0])}, "3 whole numbers"),
        ({"labels": np.array([1.0, 0.0, 1.0])}, "float64"),
        (
            {"labels": np.array([1, 2, -2])},
            r"labels -2, 2 do not fit 2 classes: allowed are 0 to 1",
        ),
        ({"vectors": {}}, "at least one stream"),
        (
            {"vectors": {"joint": np.ones((2, 2), np.float32)}},
            r"'joint'.*\(3, D\) float32.*\(2, 2\)",
        ),
        ({"vectors": {"joint": np.ones((3, 2))}}, "float64"),
        ({"vectors": {"joint": np.float32([[0], [np.nan], [np.inf]])}}, "features of b, c"),
        ({"parts": {"joint": (1, 2)}}, r"'joint': parts of \(1, 2\) do not fit"),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(changes, message):
    with pytest.raises(CrosscaleError, match=message):
        features(**changes)


def test_select_takes_clips_in_the_order_asked():
    chosen = features(parts={"joint": (1, 1)}).select([2, 0])
    assert chosen.parts == {"joint": (1, 1)}
    assert chosen.names == ("c", "a")
    assert chosen.labels.tolist() == [-1, 1]
    assert chosen.vectors["joint"].tolist() == [[4, 5], [0, 1]]


def test_saved_features_come_back_whole(tmp_path):
    before = features(names=["a", "名", "c" * 300], parts={"joint/motion": (1, 3)})
    before.save(tmp_path / "features.npz", key="k")
    after = Features.load(tmp_path / "features.npz", key="k")
    assert after.names == before.names
    assert after.classes == before.classes
    assert list(after.vectors) == ["joint", "joint/motion"]
    assert after.parts == {"joint/motion": (1, 3)}
    assert same(after, before)
    assert [path.name for path in tmp_path.iterdir()] == ["features.npz"]


def test_the_fingerprint_sees_every_part():
    changed = [
        {"names": ["a", "b", "d"]},
        {"labels": np.array([1, 1, -1])},
        {"classes": ["sit", "lie"]},
        {"vectors": {"joint": features().vectors["joint"]}},
        {"vectors": {name: array + 1e-6 for name, array in features().vectors.items()}},
        {"parts": {"joint": (1, 1)}},
    ]
    prints = {features(**changes).fingerprint() for changes in [{}, *changed]}
    assert len(prints) == 7


def of_other_sources(path):
    features().save(path, key=features_key(checkpoint="1", store="2"))


def with_a_changed_number(path):
    features().save(path, key="k")
    with np.load(path) as file:
        parts = dict(file)
    parts["vectors_0"][1, 1] += 1
    np.savez(path, **parts)


@pytest.mark.parametrize(
    "write",
    [
        of_other_sources,
        with_a_changed_number,
        lambda path: None,
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, x=np.ones(3)),
        lambda path: np.savez(path, format="crosscale features 1", key="k"),
        lambda path: np.savez(path, format="crosscale features 2", key="k", streams=["joint"]),
        lambda path: np.savez(path, format=np.array([{}], dtype=object)),  # a pickle, never run
    ],
)
def test_features_of_other_sources_or_damaged_are_extracted_anew(write, tmp_path):
    path = tmp_path / "f.npz"
    write(path)
    with pytest.raises(CrosscaleError):
        Features.load(path, "k")
    assert same(cached_features(path, "k", features), features())
    assert same(Features.load(path, "k"), features())


def test_cached_features_are_extracted_once_and_anew_when_stale_or_truncated(tmp_path):
    path, calls = tmp_path / "cache" / "f.npz", []

    def extract():
        calls.append(1)
        return features()

    for _ in range(2):
        assert same(cached_features(path, "k", extract), features())
    assert len(calls) == 1
    cached_features(path, "other", extract)
    assert len(calls) == 2
    path.write_bytes(path.read_bytes()[:-400])
    cached_features(path, "other", extract)
    cached_features(path, "other", extract)
    assert len(calls) == 3


def test_runs_are_merged_by_clip_name_and_streams_of_one_name_carry_their_run():
    shuffled = features().select([2, 0, 1])
    merged = merge_features({"run1": features(parts={"joint": (1, 1)}), "run2": shuffled})
    assert merged.parts == {"run1/joint": (1, 1)}
    assert list(merged.vectors) == [
        *("run1/joint", "run1/joint/motion"),
        *("run2/joint", "run2/joint/motion"),
    ]
    np.testing.assert_array_equal(merged.vectors["run1/joint"], merged.vectors["run2/joint"])
    alone = merge_features({"run1": features()})
    assert list(alone.vectors) == ["joint", "joint/motion"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a", "b", "x"]}, "run2 lacks c"),
        ({"classes": ["stand", "sit"]}, "run2 has other classes than run1"),
        ({"labels": np.array([0, 0, -1])}, "run2 labels some clips otherwise"),
    ],
)
def test_runs_that_do_not_match_are_not_merged(changes, message):
    with pytest.raises(CrosscaleError, match=message):
        merge_features({"run1": features(), "run2": features(**changes)})
