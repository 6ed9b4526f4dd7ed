"""`.skeleton` files that users report, each with the behaviour that was wished for."""

import numpy as np
import pytest

from crosscale.errors import BadClip
from crosscale.readers.base import fitted
from crosscale.readers.datasets.ntu import Ntu60, OwnSkeletons, read_missing
from crosscale.readers.naming import read_naming_table


@pytest.fixture
def case(shared):
    """Clips and complaints of a folder, by file name."""

    def read(name, reader=None):
        reader = reader or Ntu60()
        clips, complaints = {}, {}
        for item in reader.find(shared(f"cases/{name}")):
            try:
                clips[item.path.name] = reader.read(item)
            except BadClip as error:
                complaints[item.path.name] = str(error)
        for name, told in complaints.items():
            assert told.startswith(name)
            assert len(told) < 300
        return clips, complaints

    return read


def file(action, repetition=1):
    return f"S001C001P001R{repetition:03d}A{action:03d}.skeleton"


def test_the_tiny_set_is_read_whole(case):
    clips, complaints = case("00-tiny-ntu")
    assert (len(clips), complaints) == (40, {})
    assert {clip.subject for clip in clips.values()} == {1, 2, 3, 6}
    assert {clip.label for clip in clips.values()} == {f"A00{a}" for a in range(1, 6)}


def test_truncated_files_are_each_told(case):
    clips, complaints = case("01-truncated")
    assert list(clips) == [file(1)]
    for action, told in {
        2: "frame 7 of 10",
        3: "frame 7 of 10): the number of bodies should follow, but the file ends",
        4: "line 170 (frame 6 of 6): data left over",
        5: "frame 10 of 10): joint 25 of 25 should have 12 columns and has 3; the file is cut off",
    }.items():
        assert told in complaints[file(action)]


def test_files_of_nul_bytes_are_told_in_short(case):
    clips, complaints = case("03-nul-file")
    assert not clips
    assert all("NUL bytes" in told and "\0" not in told for told in complaints.values())
    assert len(complaints) == 2


def test_empty_frames_lose_no_real_one(case, shared):
    truth = np.load(shared("cases/05-gap-frames") / "truth_wrist_right_y.npy")
    clips, _ = case("05-gap-frames")
    shown = {1: (8, 20), 2: (0, 20), 3: (0, 14), 4: (0, 20)}
    for repetition, (first, last) in shown.items():
        clip = clips[file(1, repetition)]
        wrist = clip.coordinates[:, 0, 10, 1]
        seen = ~np.isnan(wrist)
        assert len(wrist) == last - first
        np.testing.assert_allclose(wrist[seen], truth[first:last][seen], atol=1e-3)
    assert "empty frames inside: 6" in clips[file(1, 2)].notes


def test_file_names_are_taken_at_their_word(case):
    clips, complaints = case("07-file-names")
    assert {clip.name: clip.label for clip in clips.values()} == {
        "S001C001P001R001A002": "A002",
        "S001C001P001R001A003": "A003",
    }
    assert "A000 is no action" in complaints[file(0)]
    assert "A061 is no action" in complaints[file(61)]
    assert "second copy" in complaints["S001C001P001R001A002 (1).skeleton"]
    for name in ("walk_01.skeleton", "ALICE_S001C001P003R002A004.skeleton"):
        assert "S001C001P001R001A001.skeleton" in complaints[name]


def test_own_names_may_have_a_label_file_or_none(case, shared, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("walk_01,walk\nALICE_S001C001P003R002A004,A004\n")
    clips, _ = case("07-file-names", OwnSkeletons(labels=labels))
    assert {clip.label for clip in clips.values()} == {"walk", "A004", None}
    clips, _ = case("07-file-names", fitted(OwnSkeletons(), shared("cases/07-file-names")))
    assert {clip.label for clip in clips.values()} == {None}


def test_a_missing_list_of_any_dress_is_read(shared):
    folder = shared("cases/08-missing-list")
    items = Ntu60(missing=folder / "missing.txt").find(folder / "clips")
    assert [item.name[-4:] for item in items if not item.left_out] == ["A001", "A003"]


@pytest.mark.parametrize(("edition", "count"), [(60, 302), (120, 535)])
def test_the_published_missing_lists_are_read(shared, edition, count):
    path = shared(f"data/ntu-missing/NTU_RGBD{edition}_samples_with_missing_skeletons.txt")
    assert len(read_missing(path)) == count


def test_people_keep_their_slots(case):
    clips, _ = case("10-body-id")
    for repetition, people in {1: 2, 2: 1, 3: 2}.items():
        coordinates = clips[file(50, repetition)].coordinates
        assert coordinates.shape[:2] == (12, people)
        middle = coordinates[:, :, 0, 0]  # x of the hips' middle
        for slot, side in enumerate((-0.6, 0.6)[:people]):
            seen = middle[:, slot][~np.isnan(middle[:, slot])]
            np.testing.assert_allclose(seen, side, atol=0.2)
    assert not np.isnan(clips[file(50, 2)].coordinates).any()


@pytest.mark.parametrize("action", [10, 43])
def test_who_lies_or_kneels_is_kept_before_motionless_furniture(case, shared, action):
    folder = "b07-lying-person-beside-furniture"
    clips, _ = case(f"{folder}/in")
    truth = np.load(shared(f"cases/{folder}") / f"truth_A{action:03d}.npy")
    np.testing.assert_allclose(clips[file(action)].coordinates[:, 0], truth, atol=1e-4)


def test_other_joint_counts_are_told(case):
    clips, complaints = case("12-joint-count")
    assert not clips
    for action, told in {
        1: "line 4 (frame 1 of 10): 20 joints, the layout has 25; name the layout",
        2: "line 4 (frame 1 of 10): 26 joints, the layout has 25; name the layout",
        3: "joint 25 of 25 should have 12 columns and has 1",
        4: "line 41 (frame 2 of 10): joint 9 of 25 should have 12 columns and has 3",
    }.items():
        assert told in complaints[file(action)]


def test_dress_of_the_text_does_not_matter_and_commas_are_told(case):
    clips, complaints = case("14-encoding")
    same, _ = case("01-truncated")
    assert sorted(clips) == [file(1), file(2), file(4), file(5)]
    for clip in clips.values():
        np.testing.assert_array_equal(clip.coordinates, same[file(1)].coordinates)
    assert "decimal comma" in complaints[file(3)]


def test_short_clips_are_clips(case):
    clips, _ = case("15-very-short")
    frames = {name: len(clip.coordinates) for name, clip in clips.items()}
    assert frames == {file(1): 1, file(2): 2, file(3): 3}


def test_who_comes_late_is_absent_before(case):
    clips, _ = case("17-second-person-late")
    (clip,) = clips.values()
    assert clip.coordinates.shape[:2] == (12, 2)
    shown = {tuple(np.flatnonzero(slot)[[0, -1]]) for slot in clip.present.T}
    assert shown == {(0, 8), (4, 11)}
    assert np.isnan(clip.coordinates).sum() == 7 * 25 * 3


def test_a_label_file_gives_classes(shared):
    labels = read_naming_table(shared("cases/36-label-base") / "labels.csv")
    assert labels["S001C001P001R001A003"] == {"label": "3"}
