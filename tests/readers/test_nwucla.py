"""NW-UCLA's JSON files."""

import json
from collections import Counter

import numpy as np
import pytest

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.datasets.nwucla import ACTIONS, NwUcla

SKELETONS = np.random.default_rng(0).normal(size=(3, 20, 3)).round(4).tolist()


@pytest.fixture
def write(tmp_path):
    """Write one file, whole unless a key is changed; gives its item."""

    def make(name="a08_s03_e01_v02", text=None, **changes):
        folder = tmp_path / "all_sqe"
        folder.mkdir(exist_ok=True)
        content = {"file_name": name, "skeletons": SKELETONS, "label": 7} | changes
        content = {key: value for key, value in content.items() if value is not None}
        (folder / f"{name}.json").write_text(json.dumps(content) if text is None else text)
        return make_reader("nwucla").find(tmp_path)[0]

    return make


def test_a_sequence_is_read(write):
    clip = NwUcla().read(write())
    np.testing.assert_allclose(clip.coordinates[:, 0], SKELETONS, rtol=1e-6)
    assert (clip.name, clip.label) == ("a08_s03_e01_v02", "donning")
    assert (clip.subject, clip.repetition, clip.camera, clip.setup) == (3, 1, 2, None)


def test_the_folder_itself_may_be_given(write, tmp_path):
    item = write()
    assert NwUcla().find(tmp_path / "all_sqe") == [item]


def test_one_frame_is_a_clip(write):
    assert NwUcla().read(write(skeletons=SKELETONS[:1])).coordinates.shape == (1, 1, 20, 3)


def test_a_frame_whose_joints_were_lost_is_absent(write):
    skeletons = np.array(SKELETONS)
    skeletons[1, 4] = 0
    clip = NwUcla().read(write(skeletons=skeletons.tolist()))
    assert clip.present[:, 0].tolist() == [True, False, True]
    assert clip.notes == ("frames with joints in the origin left out: 1",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "a07_s03_e01_v02"}, "does not have the form"),
        ({"name": "walk"}, "does not have the form"),
        ({"label": 8}, "label 8; by its name the label is 7"),
        ({"file_name": "a01_s03_e01_v02"}, "inside that it is a01_s03"),
        ({"label": None}, "must be an object with"),
        ({"text": "[1]"}, "must be an object with"),
        ({"text": '{"file_name": \n "a08'}, "line 2: is not whole JSON"),
        ({"text": ""}, "not whole JSON"),
        ({"text": "[" * 100_000}, "not JSON text"),
        ({"skeletons": [[[1, 2, 3]] * 20, [[1, 2, 3]] * 19]}, "not numbers of one shape"),
        ({"skeletons": [[[1, 2, "x"]] * 20]}, "not numbers of one shape"),
        ({"skeletons": [[[1, 2, 3]] * 25]}, r"shape \(1, 25, 3\)"),
        ({"skeletons": []}, r"shape \(0,\)"),
        ({"skeletons": [[[1, 2, float("nan")]] * 20]}, "missing|shows no body"),
    ],
)
def test_what_is_wrong_is_told(write, changes, told):
    item = write(**changes)
    with pytest.raises(BadClip, match=told) as failure:
        NwUcla().read(item)
    assert str(failure.value).startswith(item.name)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match="no JSON files of NW-UCLA"):
        NwUcla().find(tmp_path)


def test_the_whole_data_set_is_read(shared):
    reader = NwUcla()
    clips = [reader.read(item) for item in reader.find(shared("data/nw-ucla"))]
    assert len(clips) == 1484
    assert Counter(clip.camera for clip in clips) == {1: 516, 2: 504, 3: 464}
    assert {clip.subject for clip in clips} == set(range(1, 11))
    assert {clip.label for clip in clips} == set(ACTIONS.values())
    lengths = [len(clip.coordinates) for clip in clips]
    assert (min(lengths), max(lengths)) == (1, 201)
    assert sum(bool(clip.notes) for clip in clips) == 2
