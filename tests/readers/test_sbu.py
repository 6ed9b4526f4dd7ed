"""SBU Kinect Interaction's text files."""

import numpy as np
import pytest

from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.datasets.sbu import FOLDS, Sbu
from crosscale.readers.prepare import prepare

# two people of 15 joints, millimetres, as the sensor gave them
PAIR = np.random.default_rng(0).uniform([-900, -900, 2000], [900, 900, 3000], (5, 2, 15, 3))


def normalised(millimetres: np.ndarray) -> np.ndarray:
    """The way that the data set's description gives back."""
    x, y, z = np.moveaxis(millimetres, -1, 0)
    return np.stack([(1280 - x) / 2560, (960 - y) / 1920, z * 7.8125 / 10000], axis=-1)


def rows(values: np.ndarray) -> str:
    return "".join(
        ",".join([str(t + 1), *(f"{x:.6f}" for x in frame.ravel())]) + "\n"
        for t, frame in enumerate(values)
    )


@pytest.fixture
def write(tmp_path):
    def make(content=None, folders="s02s03/05/001"):
        path = tmp_path / "sbu" / folders / "skeleton_pos.txt"
        path.parent.mkdir(parents=True)
        path.write_text(rows(normalised(PAIR)) if content is None else content)
        return Sbu().find(tmp_path / "sbu")[0]

    return make


def test_two_people_come_in_metres(write):
    clip = Sbu().read(write())
    np.testing.assert_allclose(clip.coordinates, PAIR / 1000, atol=1e-5)
    assert (clip.name, clip.label, clip.subject, clip.repetition, clip.setup) == (
        *("s02s03_05_001", "shaking hands", 2, 1, 2),
    )


def test_a_joint_that_was_lost_is_filled_in(write):
    lost = normalised(PAIR)
    lost[2, 1, 4] = 0
    clip = Sbu().read(write(rows(lost)))
    middle = (PAIR[1, 1, 4] + PAIR[3, 1, 4]) / 2000
    np.testing.assert_allclose(clip.coordinates[2, 1, 4], middle, atol=1e-5)
    assert clip.notes == ("joints missing for a moment, filled by a line: 1",)


def test_each_pair_is_in_one_fold():
    pairs = [pair for fold in FOLDS.values() for pair in fold]
    assert len(pairs) == len(set(pairs)) == 21


def test_each_fold_is_the_test_once(write, tmp_path):
    for pairs in FOLDS.values():
        write(folders=f"{pairs[0]}/01/001")
    prepare(Sbu(), tmp_path / "sbu", tmp_path / "store")
    store = ClipStore.open(tmp_path / "store")
    for fold, pairs in FOLDS.items():
        parts = split(store, f"fold{fold}")
        assert [store.names[i] for i in parts.tests["official"]] == [f"{pairs[0]}_01_001"]
        assert len(parts.train) == 4


@pytest.mark.parametrize(
    ("content", "folders", "told"),
    [
        (None, "s01s02/09/001", "does not lie in folders as s01s02/01/001"),
        (None, "here", "does not lie in folders as"),
        ("", "s01s02/01/001", "has no frames"),
        (rows(PAIR)[:-30], "s01s02/01/001", "line 5: has 89 numbers, not 91; the file is cut off"),
        (rows(PAIR).replace(".", "x", 1), "s01s02/01/001", "line 1: '.*' is not a number"),
    ],
)
def test_what_is_wrong_is_told(write, content, folders, told):
    with pytest.raises(BadClip, match=told):
        Sbu().read(write(content, folders))


def test_it_is_recognised_and_its_absence_told(write, tmp_path):
    assert Sbu.recognises(tmp_path) is None
    with pytest.raises(CrosscaleError, match="no files of SBU"):
        Sbu().find(tmp_path)
    write()
    assert Sbu.recognises(tmp_path) == "skeleton_pos.txt is called as the files of SBU"
