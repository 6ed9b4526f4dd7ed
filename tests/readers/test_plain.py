"""A plain npz that anybody can write."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.tables.plain import Plain
from crosscale.skeleton.layout import Layout

RNG = np.random.default_rng(0)
LENGTHS = [4, 1, 6]


@pytest.fixture
def clips():
    """(T, M, V, 3) of each clip, two bodies."""
    return [RNG.normal(size=(t, 2, 25, 3)).astype(np.float32) for t in LENGTHS]


def filled(clips):
    """Many clips filled up to the longest, with what must be ignored."""
    array = np.full((len(clips), 6, 2, 25, 3), 7.0, np.float32)
    for i, clip in enumerate(clips):
        array[i, : len(clip)] = clip
    return {"names": ["a", "b", "c"], "coordinates": array, "lengths": LENGTHS}


def joined(clips):
    """Many clips one after the other."""
    return {"names": ["a", "b", "c"], "coordinates": np.concatenate(clips), "frames": LENGTHS}


@pytest.fixture
def write(tmp_path):
    """Write one file; arrays that are None are left out."""

    def make(arrays, name="set.npz", **changes):
        arrays = {k: v for k, v in (arrays | changes).items() if v is not None}
        np.savez(tmp_path / name, **arrays)
        return tmp_path

    return make


def read_all(source, reader=None):
    reader = reader or Plain()
    return [reader.read(item) for item in reader.find(source)]


def test_one_clip_a_file(write, clips):
    write({"coordinates": clips[0]}, "b.npz", label="wave", subject=3, frame_rate=25.0)
    one, two = read_all(write({"coordinates": clips[2][:, 0]}, "a.npz", label="walk", camera=1))
    np.testing.assert_array_equal(one.coordinates, clips[2][:, :1])
    np.testing.assert_array_equal(two.coordinates, clips[0])
    assert (one.name, one.label, one.camera, one.subject) == ("a", "walk", 1, None)
    assert (two.name, two.label, two.subject, two.frame_rate) == ("b", "wave", 3, 25.0)


@pytest.mark.parametrize("form", [filled, joined])
def test_many_clips_a_file(write, clips, form):
    fields = {"labels": ["x", "", "y"], "subjects": [1, 2, 3], "parts": ["train", "test", "test"]}
    found = read_all(write(form(clips), **fields))
    for clip, expected in zip(found, clips, strict=True):
        np.testing.assert_array_equal(clip.coordinates, expected)
    assert [clip.name for clip in found] == ["a", "b", "c"]
    assert [clip.label for clip in found] == ["x", None, "y"]
    assert [clip.subject for clip in found] == [1, 2, 3]
    assert [clip.part for clip in found] == ["train", "test", "test"]


@pytest.mark.parametrize("form", [filled, joined])
def test_many_clips_of_one_body_need_no_axis_for_it(write, clips, form):
    arrays = form(clips)
    arrays["coordinates"] = arrays["coordinates"][..., 0, :, :]
    found = read_all(write(arrays))
    np.testing.assert_array_equal(found[0].coordinates, clips[0][:, :1])


def test_a_body_that_no_frame_shows_is_none(write, clips):
    clips[0][:, 0] = np.nan
    clips[2][3] = np.nan
    found = read_all(write(joined(clips)))
    assert [clip.coordinates.shape[1] for clip in found] == [1, 2, 2]
    assert not found[2].present[3].any()


def test_numbers_of_labels_are_names_or_stand_for_names(write, clips):
    source = write(joined(clips), labels=[1, 0, 1])
    assert [clip.label for clip in read_all(source)] == ["1", "0", "1"]
    source = write(joined(clips), labels=[1, 0, 1], classes=["wave", "walk", "sit"])
    assert [clip.label for clip in read_all(source)] == ["walk", "wave", "walk"]


@pytest.mark.parametrize("labels", [[1, 2, 2], [0, 1, 7], [-1, 0, 1], [0.5, 0.5, 1.0]])
def test_wrong_labels_are_told_before_anything_is_read(write, clips, labels):
    with pytest.raises(CrosscaleError, match=r"set(\.npz)?: (the )?labels are"):
        Plain().find(write(joined(clips), labels=labels) / "set.npz")


def test_labels_are_looked_at_over_all_files(write, clips):
    for number in (0, 1, 7):
        source = write({"coordinates": clips[0]}, f"{number}.npz", label=number)
    with pytest.raises(CrosscaleError, match="labels are 0, 1, 7; 3 classes"):
        Plain().find(source)
    with pytest.raises(CrosscaleError, match="names in some files and numbers in others"):
        Plain().find(write({"coordinates": clips[0]}, "7.npz", label="wave"))


def test_the_layout_may_be_in_the_file_and_must_be_the_one_that_is_named(write, clips):
    source = write({"coordinates": clips[0][:, :, :20]}, layout="kinect20")
    (clip,) = read_all(source, make_reader("npz", layout="kinect20"))
    assert clip.coordinates.shape[2] == 20
    with pytest.raises(BadClip, match=r"layout is kinect20, not ntu25; .* --layout kinect20"):
        read_all(source, make_reader("npz", layout="ntu25"))


def test_files_that_say_their_layout_need_no_other_word(write, clips):
    source = write({"coordinates": clips[0][:, :, :20]}, layout="kinect20")
    assert fitted(Plain(), source).layout.name == "kinect20"
    (clip,) = read_all(source)
    assert clip.coordinates.shape[2] == 20
    write({"coordinates": clips[0]}, layout="../mine")  # no path that a file says is followed
    with pytest.raises(CrosscaleError, match=r"layout is \.\./mine, which is not built in"):
        fitted(Plain(), source)


def test_joints_missing_for_a_moment_are_filled(shared):
    folder = shared("cases/b15-nan-occluded-joints")
    clip, fault = {}, ""
    for item in Plain().find(folder / "in"):
        try:
            clip[item.name] = Plain().read(item)
        except BadClip as error:
            fault = str(error)
    truth = np.load(folder / "truth.npy").reshape(90, 25, 3)
    with np.load(folder / "in" / "short_gap.npz") as arrays:
        given = arrays["coordinates"].reshape(90, 25, 3)
    gap = np.flatnonzero(np.isnan(given[:, 11, 0]))
    assert len(gap) == 10
    seen = np.delete(np.arange(90), gap)
    line = [np.interp(gap, seen, truth[seen, 11, axis]) for axis in range(3)]
    found = clip["short_gap"].coordinates[:, 0]
    np.testing.assert_allclose(found[gap, 11], np.transpose(line), atol=1e-5)
    np.testing.assert_allclose(np.delete(found, 11, 1), np.delete(truth, 11, 1), atol=1e-6)
    assert clip["short_gap"].notes == ("joints missing for a moment, filled by a line: 10",)
    assert clip["long_gap"].notes == ("frames with joints missing left out: 40",)
    assert clip["long_gap"].present.sum() == 50
    assert fault.startswith("never.npz: never, body 0: left_hand_tip is seen in 0% of the frames")


def test_units_and_the_axis_that_points_up_may_be_given(shared):
    folder = shared("cases/b09-npz-zup-mm")
    truth = np.load(folder / "truth_metres_yup.npy").reshape(40, 25, 3)
    reader = make_reader("npz", units="millimetres", up="z")
    for item in reader.find(folder / "in"):
        found = reader.read(item).coordinates[:, 0]
        np.testing.assert_allclose(found[..., 1], truth[..., 1], atol=1e-5)
        found, truth = (one - one[:1, :1] for one in (found, truth))
        turn, _ = Rotation.align_vectors(found.reshape(-1, 3)[::7], truth.reshape(-1, 3)[::7])
        np.testing.assert_allclose(
            turn.apply(truth.reshape(-1, 3)), found.reshape(-1, 3), atol=1e-5
        )


def test_places_in_a_picture_are_turned_over_where_y_points_down(write):
    """Also those at the corner 0 0 are missing, where estimators put what they did not find."""
    layout = Layout.load("coco17")
    up = RNG.uniform(100, 110, size=(6, 17, 2)).astype(np.float32)
    up[:, list(layout.shoulders), 1] += 80
    lost = up.copy()
    lost[:, 3] = 0
    lost[2, 9] = 0
    folder = write({"coordinates": up}, "up.npz", layout="coco17")
    assert fitted(Plain(), folder).up == "y"
    write({"coordinates": up * [1, -1]}, "down.npz", layout="coco17")
    write({"coordinates": lost * [1, -1]}, "lost.npz", layout="coco17")
    reader = fitted(Plain(), folder)
    assert reader.up == "-y"
    down, missing, _ = read_all(folder, reader)
    np.testing.assert_array_equal(down.coordinates[:, 0], up)
    seen = [joint for joint in range(17) if joint not in (3, 9)]
    np.testing.assert_array_equal(missing.coordinates[:, 0, seen], up[:, seen])
    np.testing.assert_allclose(missing.coordinates[2, 0, 9], up[[1, 3], 9].mean(0), rtol=1e-5)
    np.testing.assert_allclose(missing.coordinates[:, 0, 3], up[:, [0, 1, 2, 4]].mean(1), rtol=1e-5)
    assert any("y is up instead of -y" in note for note in missing.notes)
    with pytest.raises(BadClip, match=r"up\.npz: up is z, but joints have x and y only"):
        read_all(folder / "up.npz", fitted(Plain(up="z"), folder))


def test_a_bad_file_is_skipped_alone(write, clips, tmp_path):
    source = write({"coordinates": clips[0]}, "good.npz")
    (tmp_path / "bad.npz").write_bytes(b"hello")
    bad, good = Plain().find(source)
    assert Plain().read(good).name == "good"
    with pytest.raises(BadClip, match=r"bad\.npz is not a whole numpy file"):
        Plain().read(bad)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"coordinates": None}, "has the arrays names, frames; .* has coordinates"),
        ({"subject": [1, 2, 3]}, "a file of many clips has coordinates and may have"),
        ({"frames": None}, "need either lengths .* or frames"),
        ({"lengths": LENGTHS}, "need either lengths .* or frames"),
        ({"frames": [4, 1, 5]}, "11 rows, frames add up to 10"),
        ({"frames": [4, 1]}, "frames must be 3 whole numbers"),
        ({"frames": [4, -1, 8]}, "frames must be 3 whole numbers"),
        ({"coordinates": np.zeros((11, 25, 4))}, r"shape \(11, 25, 4\), not \(rows"),
        ({"coordinates": np.zeros((11, 25, 3), int)}, "coordinates are int64"),
        ({"labels": ["a", "b"]}, r"label has shape \(2,\), not one value for each of the 3"),
        ({"subjects": [0.5, 1, 2]}, "subject must be whole numbers from 0, not float64"),
        ({"names": [1, 2, 3]}, "names must be a list of texts"),
    ],
)
def test_a_file_of_another_form_is_told(write, clips, changes, told):
    with pytest.raises(CrosscaleError, match=told):
        Plain().find(write(joined(clips), **changes) / "set.npz")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lengths": [4, 1, 7]}, "3 clips of 6 frames; names and lengths say 3 clips of up to 7"),
        ({"names": ["a", "b"], "lengths": [4, 1]}, "say 2 clips"),
    ],
)
def test_lengths_must_fit(write, clips, changes, told):
    with pytest.raises(CrosscaleError, match=told):
        Plain().find(write(filled(clips), **changes) / "set.npz")


def test_frames_in_the_place_of_bodies_are_told(write):
    source = write({"coordinates": RNG.normal(size=(1, 30, 25, 3))}, "a.npz")
    with pytest.raises(BadClip, match="swap"):
        read_all(source)


def test_objects_are_never_read(write, clips):
    source = write({"coordinates": clips[0]}, label=np.array([None]))
    with pytest.raises(CrosscaleError, match="Python objects"):
        Plain().find(source / "set.npz")


def test_an_empty_source_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match="has no npz files"):
        Plain().find(tmp_path)
    with pytest.raises(CrosscaleError, match="does not exist"):
        Plain().find(tmp_path / "nowhere")
