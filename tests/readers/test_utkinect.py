"""UTKinect's recordings, cut by its label file."""

import numpy as np
import pytest

from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.datasets.utkinect import ACTIONS, UtKinect
from crosscale.readers.prepare import prepare

PERSON = np.random.default_rng(0).uniform(0.1, 2, (60, 20, 3)).round(4)
NUMBERS = np.arange(100, 220, 2)
TABLE = "".join(f"{action}: {100 + 10 * i} {108 + 10 * i} \n" for i, action in enumerate(ACTIONS))


def rows(numbers=NUMBERS, joints=PERSON) -> str:
    return "".join(
        f"{n}   {'  '.join(f'{x:f}' for x in frame.ravel())}  \n"
        for n, frame in zip(numbers, joints, strict=True)
    )


@pytest.fixture
def write(tmp_path):
    """Write a recording and the label file one folder up."""

    def make(recording="s04_e02", content=None, table=None):
        folder = tmp_path / "joints"
        folder.mkdir(exist_ok=True)
        (folder / f"joints_{recording}.txt").write_text(rows() if content is None else content)
        (tmp_path / "actionLabel.txt").write_text(table or f"{recording}\n{TABLE}")
        return tmp_path

    return make


def clip(source, action):
    reader = UtKinect()
    return reader.read(next(i for i in reader.find(source) if i.name.endswith(action)))


def test_each_action_is_cut_out_by_frame_numbers(write):
    found = clip(write(), "standUp")
    assert (found.name, found.label, found.subject, found.repetition) == (
        *("s04_e02_standUp", "standUp", 4, 2),
    )
    np.testing.assert_allclose(found.coordinates[:, 0], PERSON[10:15], rtol=1e-6)
    assert found.notes == ()


def test_a_recording_gives_all_its_actions(write, tmp_path):
    prepare(UtKinect(), write(), tmp_path / "store")
    store = ClipStore.open(tmp_path / "store")
    assert store.classes == ACTIONS
    assert sorted(store.labels.tolist()) == list(range(10))


def test_an_action_without_frames_is_left_out(write, tmp_path):
    table = f"s10_e02\n{TABLE}".replace("carry: 140 148", "carry:  NaN NaN")
    report = prepare(UtKinect(), write("s10_e02", table=table), tmp_path / "store")
    assert report.left_out == {"without frames in actionLabel.txt": 1}
    assert report.read == 9


def test_of_a_frame_that_is_there_twice_the_first_is_taken(write):
    numbers = [100, 100, *range(102, 218, 2)]
    found = clip(write(content=rows(numbers)), "walk")
    np.testing.assert_allclose(found.coordinates[:, 0], PERSON[[0, 2, 3, 4, 5]], rtol=1e-6)


def test_the_wrong_digit_of_the_published_label_file_is_corrected_and_told(write):
    numbers = range(3550, 3670, 2)
    table = "s03_e01\nthrow: 3226 3282\npush: 2556 3622\n"
    found = clip(write("s03_e01", rows(numbers), table), "push")
    np.testing.assert_allclose(found.coordinates[:, 0], PERSON[3:37], rtol=1e-6)
    assert found.notes == ("first frame 2556 of actionLabel.txt corrected to 3556",)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("walk: 1 2\n", "line 1: is neither a recording"),
        ("s04_e02\nwalk: 1 x\n", "line 2: needs two frame numbers"),
        ("s04_e02\njump: 1 2\n", "line 2: is neither"),
    ],
)
def test_a_wrong_label_file_is_told(write, table, told):
    with pytest.raises(CrosscaleError, match=told):
        UtKinect().find(write(table=table))


def test_a_missing_label_file_is_told(write):
    source = write()
    (source / "actionLabel.txt").unlink()
    with pytest.raises(CrosscaleError, match=r"actionLabel.txt of UTKinect is neither in"):
        UtKinect().find(source)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "has no frame from 100 to 108, where actionLabel.txt says walk is"),
        (rows().rstrip()[:-12], "line 60: has 60 numbers, not 61; the file is cut off here"),
        (rows().replace(".", "x", 1), "line 1: '.*' is not a number"),
    ],
)
def test_what_is_wrong_is_told(write, content, told):
    with pytest.raises(BadClip, match=f"^joints_s04_e02.txt: {told}"):
        clip(write(content=content), "walk")


def test_it_is_recognised_and_its_absence_told(write, tmp_path):
    assert UtKinect.recognises(tmp_path) is None
    with pytest.raises(CrosscaleError, match="no files of UTKinect"):
        UtKinect().find(tmp_path)
    assert UtKinect.recognises(write()) == "joints_s04_e02.txt is named as in UTKinect"
