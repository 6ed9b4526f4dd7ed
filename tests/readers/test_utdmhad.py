"""UTD-MHAD's MATLAB files."""

import numpy as np
import pytest
from scipy.io import savemat

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.datasets.utdmhad import ACTIONS, JOINTS, UtdMhad
from crosscale.skeleton.layout import Layout

SKELETON = np.random.default_rng(0).normal(size=(20, 3, 4))


@pytest.fixture
def write(tmp_path):
    """Write one file and give its item."""

    def make(name="a27_s8_t4_skeleton", **variables):
        savemat(tmp_path / f"{name}.mat", variables or {"d_skel": SKELETON})
        return make_reader("utdmhad").find(tmp_path)[0]

    return make


def test_a_recording_is_read_with_its_joints_in_the_layouts_order(write):
    clip = UtdMhad().read(write())
    assert clip.coordinates.shape == (4, 1, 20, 3)
    for position, joint in enumerate(JOINTS):
        place = Layout.load("kinect20").index(joint)
        np.testing.assert_allclose(clip.coordinates[:, 0, place], SKELETON[position].T, rtol=1e-6)
    assert (clip.name, clip.label) == ("a27_s8_t4_skeleton", "squat")
    assert (clip.subject, clip.repetition, clip.frame_rate) == (8, 4, 30)


@pytest.mark.parametrize(
    ("name", "variables", "told"),
    [
        ("a28_s1_t1_skeleton", {}, "does not have the form"),
        ("walk_skeleton", {}, "does not have the form"),
        ("a1_s1_t1_skeleton", {"other": SKELETON}, "has no variable d_skel"),
        ("a1_s1_t1_skeleton", {"d_skel": SKELETON[:19]}, r"shape \(19, 3, 4\)"),
        ("a1_s1_t1_skeleton", {"d_skel": "text"}, "not numbers of"),
        ("a1_s1_t1_skeleton", {"d_skel": SKELETON * np.nan}, "shows no body"),
        ("a1_s1_t1_skeleton", {"d_skel": SKELETON[..., :0]}, "has no frames"),
    ],
)
def test_what_is_wrong_is_told(write, name, variables, told):
    item = write(name, **variables)
    with pytest.raises(BadClip, match=told) as failure:
        UtdMhad().read(item)
    assert str(failure.value).startswith(name)


@pytest.mark.parametrize("keep", [0, 3, 100, 130, 150, 200, 1000])
def test_a_file_that_is_cut_off_is_told(write, keep):
    item = write()
    item.path.write_bytes(item.path.read_bytes()[:keep])
    with pytest.raises(BadClip, match=r"skeleton\.mat: (is not a whole MATLAB|has no variable)"):
        UtdMhad().read(item)


def test_a_file_of_another_matlab_is_told(write):
    item = write()
    item.path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM" + b"\0" * 400)
    with pytest.raises(BadClip, match=r"MATLAB 7\.3; save it with -v7"):
        UtdMhad().read(item)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match="no files of UTD-MHAD"):
        UtdMhad().find(tmp_path)


def test_the_whole_data_set_is_read(shared):
    reader = UtdMhad()
    clips = [reader.read(item) for item in reader.find(shared("data/utd-mhad"))]
    assert len(clips) == 861
    assert sum(clip.subject % 2 for clip in clips) == 431
    assert {clip.label for clip in clips} == set(ACTIONS)
    lengths = [len(clip.coordinates) for clip in clips]
    assert (min(lengths), max(lengths)) == (41, 125)
    assert not any(clip.notes for clip in clips)
    layout = Layout.load("kinect20")
    for clip in clips:  # names were matched rightly: heads are above feet
        head, foot = (clip.coordinates[0, 0, layout.index(j), 1] for j in ("head", "left_foot"))
        assert head > foot


def test_a_nan_that_signals_is_told_as_any_other(write):
    damaged = SKELETON.copy()
    damaged[3, :, 1] = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
    with pytest.raises(
        BadClip, match="is missing while others are there"
    ):  # no warning of numpy's before
        UtdMhad().read(write(d_skel=damaged))
