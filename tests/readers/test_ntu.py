"""NTU RGB+D `.skeleton` folders, and own recordings in that format."""

import numpy as np
import pytest

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.datasets.ntu import Ntu60, Ntu120, OwnSkeletons, ntu_numbers


@pytest.fixture
def folder(tmp_path, skeleton_text, standing):
    """Writes files of four frames of one person."""

    def make(*names, content=None):
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content or skeleton_text([[("72", standing())]] * 4))
        return tmp_path / "set"

    return make


def read_all(reader, source):
    """Clips and complaints by name."""
    clips, complaints = {}, {}
    for item in reader.find(source):
        try:
            clips[item.name] = reader.read(item)
        except BadClip as error:
            complaints[item.path.name] = str(error)
    return clips, complaints


def test_a_file_name_gives_the_numbers(folder):
    source = folder("S017C003P040R002A060.skeleton")
    (clip,) = read_all(Ntu60(), source)[0].values()
    assert (clip.name, clip.label) == ("S017C003P040R002A060", "A060")
    assert (clip.setup, clip.camera, clip.subject, clip.repetition) == (17, 3, 40, 2)
    assert clip.frame_rate == 30
    assert clip.coordinates.shape == (4, 1, 25, 3)


def test_both_data_sets_have_their_own_actions(folder):
    source = folder("S001C001P001R001A060.skeleton", "S018C001P001R001A061.skeleton")
    assert list(read_all(Ntu60(), source)[0]) == ["S001C001P001R001A060"]
    assert len(read_all(Ntu120(), source)[0]) == 2
    assert (len(Ntu60().classes), len(Ntu120().classes)) == (60, 120)


def test_the_registry_knows_them():
    assert make_reader("ntu60", bodies_by="position", missing=None) == Ntu60(bodies_by="position")
    assert make_reader("ntu120").name == "ntu120"
    assert make_reader("skeleton", labels="a.csv") == OwnSkeletons(labels="a.csv")


@pytest.mark.parametrize(
    "name",
    ["S001C001P001R001A01", "xS001C001P001R001A001", "S001C001P001R001A001_1", "walk", ""],
)
def test_other_names_give_no_numbers(name):
    assert ntu_numbers(name) is None


def test_files_that_cannot_be_used_say_why(folder, skeleton_text, standing):
    folder("S001C001P001R001A001.skeleton", content=skeleton_text([[]] * 3))
    folder("S001C001P001R001A002.skeleton", content=skeleton_text([[("1", standing()[:20])]]))
    source = folder("S001C001P001R001A003.skeleton", content=b"\0" * 4096)
    clips, complaints = read_all(Ntu60(), source)
    assert not clips
    assert complaints == {
        "S001C001P001R001A001.skeleton": "S001C001P001R001A001.skeleton: none of the 3 frames "
        "shows a body",
        "S001C001P001R001A002.skeleton": "S001C001P001R001A002.skeleton: line 4 (frame 1 of 1): "
        "20 joints, the layout has 25; name the layout of these files with --layout",
        "S001C001P001R001A003.skeleton": "S001C001P001R001A003.skeleton: line 1: NUL bytes, as an "
        "interrupted copy leaves them; fetch the file again",
    }


def test_another_layout_may_be_named(folder, skeleton_text, standing):
    source = folder(
        "S001C001P001R001A002.skeleton", content=skeleton_text([[("1", standing()[:20])]])
    )
    (clip,) = read_all(Ntu60(layout="kinect20"), source)[0].values()
    assert clip.coordinates.shape == (1, 1, 20, 3)


def test_samples_on_the_missing_list_are_left_out(folder, tmp_path):
    source = folder(*(f"S001C001P001R001A00{a}.skeleton" for a in (1, 2, 3)))
    listed = tmp_path / "missing.txt"
    listed.write_bytes(b"\r\nS001C001P001R001A002.skeleton  \r\n\r\nS009C001P001R001A009\r\n")
    items = Ntu60(missing=listed).find(source)
    assert [bool(item.left_out) for item in items] == [False, True, False]


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot read the list"), (b"S001\nhello", "line 1: 'S001' is no"), (b"\xff", "text")],
)
def test_a_missing_list_that_is_none_is_told(folder, tmp_path, content, told):
    source = folder("S001C001P001R001A001.skeleton")
    if content:
        (tmp_path / "missing.txt").write_bytes(content)
    with pytest.raises(CrosscaleError, match=told):
        Ntu60(missing=tmp_path / "missing.txt").find(source)


def test_an_empty_or_absent_folder_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match="does not exist"):
        Ntu60().find(tmp_path / "nowhere")
    with pytest.raises(CrosscaleError, match=r"has no \.skeleton files"):
        Ntu60().find(tmp_path)


@pytest.mark.parametrize("wrong", [{"bodies_by": "order"}, {"max_bodies": 0}, {"max_frames": 0}])
def test_wrong_settings_are_told(wrong):
    with pytest.raises(CrosscaleError, match=next(iter(wrong))):
        Ntu60(**wrong)


def test_own_names_take_their_class_from_the_folder(folder):
    source = folder("wave/anna_1.skeleton", "walk/bert (x).skeleton")
    clips, _ = read_all(OwnSkeletons(), source)
    assert {name: clip.label for name, clip in clips.items()} == {
        "anna_1": "wave",
        "bert (x)": "walk",
    }


def test_own_names_take_their_class_from_a_file(folder, tmp_path):
    source = folder("anna_1.skeleton", "bert.skeleton", "carl.skeleton")
    (tmp_path / "labels.csv").write_text("sample,label\nanna_1,wave\nbert.skeleton, walk\n\n")
    clips, _ = read_all(OwnSkeletons(labels=tmp_path / "labels.csv"), source)
    assert {name: clip.label for name, clip in clips.items()} == {
        "anna_1": "wave",
        "bert": "walk",
        "carl": None,
    }


def test_own_names_may_be_without_a_class(folder):
    source = folder("anna_1.skeleton", "wave/bert.skeleton")
    clips, _ = read_all(fitted(OwnSkeletons(), source), source)
    assert {name: clip.label for name, clip in clips.items()} == {"anna_1": None, "bert": "wave"}


def test_own_names_that_are_alike_are_told_apart_by_their_folders(folder):
    source = folder("day1/a.skeleton", "day2/a.skeleton", "day2/b.skeleton")
    assert [item.name for item in OwnSkeletons().find(source)] == ["b", "day1/a", "day2/a"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a", " needs a column name; it has a"),
        ("a,b,c", " needs a column name; it has a, b, c"),
        ("a,1\na,2", ": row 2 names a a second time"),
        ("a,1\nb", ": row 2 does not have 2 cells"),
    ],
)
def test_a_label_file_that_is_none_is_told(folder, tmp_path, text, told):
    source = folder("a.skeleton")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(CrosscaleError, match=f"labels.csv{told}"):
        OwnSkeletons(labels=tmp_path / "labels.csv").find(source)


def test_the_published_body_rule_reads_what_the_published_reader_read(
    golden, tmp_path, skeleton_text
):
    arrays = np.load(golden / "ntu_preprocess.npz")
    raws = [key for key in arrays.files if key.endswith("raw")]
    assert raws
    for key in raws:
        raw = arrays[key].transpose(1, 3, 2, 0)  # (T, M, V, 3), absent bodies zero
        frames = [[(str(m), b) for m, b in enumerate(frame) if b.any()] for frame in raw]
        path = tmp_path / "S001C001P001R001A001.skeleton"
        path.write_bytes(skeleton_text(frames))
        reader = Ntu60(bodies_by="position")
        found = np.nan_to_num(reader.read(reader.find(path)[0]).coordinates)
        np.testing.assert_array_equal(found, raw[:, : found.shape[1]])
        assert not raw[:, found.shape[1] :].any()
