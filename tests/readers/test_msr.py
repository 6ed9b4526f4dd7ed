"""MSR-Action3D's text files."""

import numpy as np
import pytest

from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.datasets.msr import JOINTS, MsrAction3d
from crosscale.readers.prepare import prepare
from crosscale.skeleton.layout import Layout

PERSON = np.random.default_rng(0).uniform(0.1, 2, (6, 20, 3)).round(4)


def rows(joints: np.ndarray) -> str:
    return "\n".join(f" {x:e} {y:e} {z:e} 1.0" for x, y, z in joints.reshape(-1, 3)) + "\n"


@pytest.fixture
def write(tmp_path):
    def make(content=None, name="a03_s07_e02"):
        path = tmp_path / f"{name}_skeleton3D.txt"
        path.write_text(rows(PERSON) if content is None else content)
        return MsrAction3d().find(tmp_path)[0]

    return make


def test_a_file_is_read_in_the_layouts_order(write):
    clip = MsrAction3d().read(write())
    assert (clip.name, clip.label, clip.subject, clip.repetition) == (
        *("a03_s07_e02", "hammer", 7, 2),
    )
    for j, joint in enumerate(JOINTS):
        place = Layout.load("kinect20").index(joint)
        np.testing.assert_allclose(clip.coordinates[:, 0, place], PERSON[:, j], rtol=1e-6)


def test_the_order_is_that_of_the_published_skeleton():
    # the bones that drawings of the data set have, joints counted from 1
    bones = [(20, 3), (1, 3), (2, 3), (3, 4), (4, 7), (1, 8), (8, 10), (10, 12), (2, 9), (9, 11)]
    bones += [(11, 13), (7, 5), (5, 14), (14, 16), (16, 18), (7, 6), (6, 15), (15, 17), (17, 19)]
    drawn = {frozenset((JOINTS[a - 1], JOINTS[b - 1])) for a, b in bones}
    layout = Layout.load("kinect20")
    assert drawn == {frozenset((layout.joints[a], layout.joints[b])) for a, b in layout.edges}


def test_a_joint_in_the_sensor_is_filled_in(write):
    lost = PERSON.copy()
    lost[2, 11] = 0
    clip = MsrAction3d().read(write(rows(lost)))
    hand = Layout.load("kinect20").index("left_hand")
    middle = (PERSON[1, 11] + PERSON[3, 11]) / 2
    np.testing.assert_allclose(clip.coordinates[2, 0, hand], middle, rtol=1e-5)
    assert clip.notes == ("joints missing for a moment, filled by a line: 1",)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a21_s01_e01", None, "does not have the form"),
        ("walk", None, "does not have the form"),
        ("a01_s01_e01", "", "has 0 rows, not 20"),
        ("a01_s01_e01", rows(PERSON[:, :19]), "has 114 rows, not 20 for each frame"),
        ("a01_s01_e01", rows(PERSON).rstrip()[:-15], "line 120: has 3 numbers, not 4; the file"),
        ("a01_s01_e01", rows(PERSON).replace("1.0", "x", 1), "line 1: 'x' is not a number"),
        ("a13_s09_e02", rows(np.zeros((5, 20, 3))), "is seen in 0%"),
    ],
)
def test_what_is_wrong_is_told(write, name, content, told):
    with pytest.raises(BadClip, match=told) as failure:
        MsrAction3d().read(write(content, name))
    assert str(failure.value).startswith(name)


def test_odd_subjects_train(write, tmp_path):
    for subject in (1, 2, 9, 10):
        write(name=f"a01_s{subject:02}_e01")
    prepare(MsrAction3d(), tmp_path, tmp_path / "store")
    store = ClipStore.open(tmp_path / "store")
    parts = split(store, "odd_even")
    assert [store.names[i] for i in parts.train] == ["a01_s01_e01", "a01_s09_e01"]


def test_it_is_recognised_and_its_absence_told(write, tmp_path):
    assert MsrAction3d.recognises(tmp_path) is None
    with pytest.raises(CrosscaleError, match="no files of MSR-Action3D"):
        MsrAction3d().find(tmp_path)
    write()
    assert (
        MsrAction3d.recognises(tmp_path) == "a03_s07_e02_skeleton3D.txt is named as in MSR-Action3D"
    )
