"""Arrays that code bases of this field hand on become clips again."""

import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.datasets.arrays import Arrays, Ntu60Arrays
from crosscale.readers.tables.plain import Plain
from crosscale.skeleton.layout import Layout

NAMES = ["S001C002P003R002A001", "S001C001P005R001A002", "S001C003P001R001A060"]
LABELS = [0, 1, 59]
LENGTHS = [4, 6, 1]
BODIES = [1, 2, 2]
RNG = np.random.default_rng(0)


@pytest.fixture
def clips():
    """(T, M, V, 3) of each clip."""
    return [
        RNG.normal(size=(t, m, 25, 3)).astype(np.float32)
        for t, m in zip(LENGTHS, BODIES, strict=True)
    ]


def padded(clips, frames=8):
    """(N, T, 2, V, 3) filled with zeros."""
    array = np.zeros((len(clips), frames, 2, 25, 3), np.float32)
    for i, clip in enumerate(clips):
        array[i, : clip.shape[0], : clip.shape[1]] = clip
    return array


def write_npy(folder, clips, names=NAMES, labels=LABELS, part="train", kind="position"):
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{part}_{kind}.npy", padded(clips).transpose(0, 4, 1, 3, 2))
    with (folder / f"{part}_label.pkl").open("wb") as file:
        pickle.dump(([f"{name}.skeleton" for name in names], list(labels)), file)
    return folder


def write_npz(folder, clips, **changes):
    folder.mkdir(exist_ok=True)
    x, y = padded(clips).reshape(len(clips), 8, 150), np.eye(60)[LABELS]
    arrays = {"x_train": x[:2], "y_train": y[:2], "x_test": x[2:], "y_test": y[2:]} | changes
    np.savez(folder / "NTU60_CS.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder


def annotation(i, clip, **changes):
    one = {
        "frame_dir": NAMES[i],
        "label": LABELS[i],
        "keypoint": clip.transpose(1, 0, 2, 3).astype(np.float16),
        "total_frames": len(clip),
    }
    return {key: value for key, value in (one | changes).items() if value is not None}


def write_annotations(folder, annotations, split=None):
    folder.mkdir(exist_ok=True)
    content = {"split": split or {"xsub_train": NAMES[1:], "xsub_val": NAMES[:1]}}
    with (folder / "ntu60_3danno.pkl").open("wb") as file:
        pickle.dump(content | {"annotations": annotations}, file)
    return folder


def read_all(source, reader=None):
    reader = reader or Ntu60Arrays()
    return [reader.read(item) for item in reader.find(source)]


def assert_same(found, clips, tolerance=0.0):
    for clip, expected in zip(found, clips, strict=True):
        np.testing.assert_allclose(clip.coordinates, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["position", "data_joint", "data"])
def test_npy_with_labels(tmp_path, clips, kind):
    found = read_all(write_npy(tmp_path / "xsub", clips, kind=kind))
    assert_same([found[1], found[0], found[2]], clips)  # items come sorted by name
    assert [clip.name for clip in found] == sorted(NAMES)
    assert [clip.label for clip in found] == ["A002", "A001", "A060"]
    assert [clip.part for clip in found] == ["train"] * 3
    first = found[1]
    assert (first.subject, first.camera, first.setup, first.repetition) == (3, 2, 1, 2)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("write", [write_npy, write_npz])
def test_an_array_that_was_read_takes_no_memory(write, tmp_path, clips):
    count = 300
    clips = [clips[1]] * count
    names = [f"S001C001P001R001A{1 + i % 60:03d}x{i}" for i in range(count)]
    changes = {"names": names, "labels": np.zeros(count, int)}
    if write is write_npz:
        x = padded(clips).reshape(count, 8, 150)
        changes = {"x_train": x, "y_train": np.zeros(count, int), "x_test": None, "y_test": None}
    folder = write(tmp_path / "xsub", clips, **changes)
    (path,) = (path for path in folder.iterdir() if path.suffix != ".pkl")
    assert_takes_no_memory(Arrays(layout="ntu25"), path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("lengths", ["lengths", "frames"])
def test_an_npz_of_ones_own_that_was_read_takes_no_memory(lengths, tmp_path):
    x = RNG.normal(size=(300, 8, 2, 25, 3)).astype(np.float32)
    x = x if lengths == "lengths" else x.reshape(2400, 2, 25, 3)
    names = [f"clip {i}" for i in range(300)]
    np.savez(tmp_path / "own.npz", names=names, coordinates=x, **{lengths: [8] * 300})
    assert_takes_no_memory(Plain(layout=Layout.load("ntu25")), tmp_path / "own.npz")


def assert_takes_no_memory(reader, path):
    assert path.stat().st_size > 1 << 20
    for item in reader.find(path):
        reader.read(item)
    told = Path("/proc/self/smaps").read_text().split(str(path), 1)[1]
    assert int(re.search(r"^Rss: +(\d+) kB", told, re.MULTILINE)[1]) < 100


def test_bone_and_motion_arrays_beside_are_not_taken_for_coordinates(tmp_path, clips):
    folder = write_npy(tmp_path / "xsub", clips)
    np.save(folder / "train_motion.npy", np.zeros(3))
    np.save(folder / "train_data_bone.npy", np.zeros(3))
    assert len(read_all(folder)) == 3


def test_the_validation_part_is_the_test(tmp_path, clips):
    write_npy(tmp_path, clips[:1], NAMES[:1], LABELS[:1], part="train")
    write_npy(tmp_path, clips[1:], NAMES[1:], LABELS[1:], part="val")
    assert sorted(clip.part for clip in read_all(tmp_path)) == ["test", "test", "train"]


def test_one_clip_in_two_arrays_is_told(tmp_path, clips):
    for protocol in ("xsub", "xview"):
        write_npy(tmp_path / protocol, clips)
    with pytest.raises(CrosscaleError, match=r"both hold S001C.* of one protocol"):
        read_all(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_two_parts(tmp_path, clips, monkeypatch, save):
    monkeypatch.setattr(np, "savez", save)
    found = read_all(write_npz(tmp_path, clips))
    assert [clip.name for clip in found] == ["test_000000", "train_000000", "train_000001"]
    assert [clip.part for clip in found] == ["test", "train", "train"]
    assert [clip.label for clip in found] == ["A060", "A001", "A002"]
    assert_same(found, [clips[2], clips[0], clips[1]])


def test_annotations(tmp_path, clips):
    found = read_all(write_annotations(tmp_path, [annotation(i, c) for i, c in enumerate(clips)]))
    assert_same([found[1], found[0], found[2]], clips, tolerance=1e-2)
    assert [clip.part for clip in found] == [None] * 3  # the names tell subject and camera
    assert found[0].subject == 5


def test_annotations_of_one_split_keep_it(tmp_path, clips):
    split = {"train": NAMES[:2], "val": NAMES[2:]}
    found = read_all(
        write_annotations(tmp_path, [annotation(i, c) for i, c in enumerate(clips)], split)
    )
    assert {clip.name: clip.part for clip in found} == dict(
        zip(NAMES, ["train", "train", "test"], strict=True)
    )


def test_zeros_inside_are_absent_bodies(tmp_path):
    clip = RNG.normal(size=(6, 2, 25, 3)).astype(np.float32)
    clip[2:4] = 0
    clip[4, 0] = 0
    (found,) = read_all(write_npy(tmp_path, [clip], NAMES[:1], LABELS[:1]))
    assert np.argwhere(~found.present).tolist() == [[2, 0], [2, 1], [3, 0], [3, 1], [4, 0]]
    assert found.notes == ("empty frames inside: 2",)


def test_a_clip_of_zeros_is_told(tmp_path, clips):
    folder = write_npy(tmp_path, [clips[0] * 0], NAMES[:1], LABELS[:1])
    with pytest.raises(BadClip, match=r"train_position\.npy: S001C002P003R002A001 shows no body"):
        read_all(folder)


def test_labels_that_do_not_go_with_the_names_are_told(tmp_path, clips):
    folder = write_npy(tmp_path, clips[:2], NAMES[:2], [1, 2])
    with pytest.raises(BadClip, match=r"has the label A003; do the labels count from 0"):
        read_all(folder)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([0, 1, 60], "labels 60 are beyond the 60 classes"),
        ([-1, 0, 1], "labels -1 are beyond"),
        ([0.0, 1.0, 2.0], "labels are float64"),
        ([0, 1], "3 clips and 2 labels"),
    ],
)
def test_labels_that_are_wrong_are_told_before_anything_is_read(tmp_path, clips, labels, told):
    with pytest.raises(CrosscaleError, match=told):
        Ntu60Arrays().find(write_npy(tmp_path, clips, labels=labels))


def test_own_arrays_name_their_classes_by_number(tmp_path, clips):
    folder = write_npy(tmp_path, clips, ["a", "b", "c"], [1, 0, 1])
    assert [clip.label for clip in read_all(folder, Arrays())] == ["1", "0", "1"]
    write_npy(tmp_path, clips, ["a", "b", "c"], [1, 2, 1])
    with pytest.raises(CrosscaleError, match=r"labels are 1, 2; 2 classes must have .* 0 to 1"):
        Arrays().find(folder)


def test_other_joints_are_told(tmp_path, clips):
    with pytest.raises(CrosscaleError, match=r"25 joints, layout kinect20 has 20; .* --layout"):
        make_reader("ntu60-arrays", layout="kinect20").find(write_npz(tmp_path, clips))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"x_train": None, "x_test": None}, "neither x_train nor x_test"),
        ({"x_train": np.zeros((2, 8, 75), np.float32)}, "not .clips, frames, 2 bodies"),
        ({"y_train": np.ones((2, 60))}, "neither numbers nor one-hot"),
        ({"y_train": np.array([0, 1, 1])}, "3 clips and 4 labels"),
    ],
)
def test_npz_of_another_form_is_told(tmp_path, clips, changes, told):
    with pytest.raises(CrosscaleError, match=told):
        Ntu60Arrays().find(write_npz(tmp_path, clips, **changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"frame_dir": None}, "annotation 0 lacks one of frame_dir, keypoint"),
        ({"keypoint": np.zeros((1, 4, 17))}, "bodies, frames, joints, 2 or 3"),
        ({"keypoint_score": np.zeros((1, 3, 25))}, "keypoint_score has shape .1, 3, 25"),
        ({"total_frames": 5}, "4 frames, but total_frames is 5"),
    ],
)
def test_annotations_of_another_form_are_told(tmp_path, clips, changes, told):
    folder = write_annotations(tmp_path, [annotation(0, clips[0], **changes)])
    with pytest.raises(CrosscaleError, match=told):
        Ntu60Arrays().find(folder)


def test_npy_of_another_form_is_told(tmp_path, clips):
    folder = write_npy(tmp_path, clips)
    np.save(folder / "train_position.npy", np.zeros((3, 2, 8, 25, 2)))
    with pytest.raises(CrosscaleError, match=r"not \(clips, 3, frames, joints, bodies\)"):
        Ntu60Arrays().find(folder)


def test_arrays_may_be_without_labels(tmp_path, clips):
    folder = write_npy(tmp_path / "npy", clips, ["a", "b", "c"], [1, None, 0])
    assert [clip.label for clip in read_all(folder, Arrays())] == ["1", None, "0"]
    folder = write_npy(tmp_path / "alone", clips)
    (folder / "train_label.pkl").unlink()
    found = read_all(folder, Arrays())
    assert {clip.name: clip.label for clip in found} == {f"train_00000{i}": None for i in range(3)}
    assert_same(found, clips)
    found = read_all(write_npz(tmp_path / "npz", clips, y_train=None))
    assert [clip.label for clip in found] == ["A060", None, None]


def test_annotations_may_be_without_labels_which_names_of_ntu_tell(tmp_path, clips):
    annotations = [annotation(i, clip, label=None) for i, clip in enumerate(clips)]
    folder = write_annotations(tmp_path, annotations)
    assert [clip.label for clip in read_all(folder, Arrays())] == [None] * 3
    assert [clip.label for clip in read_all(folder)] == ["A002", "A001", "A060"]


def test_a_source_without_arrays_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match="has neither train_position"):
        Ntu60Arrays().find(tmp_path)
    with pytest.raises(CrosscaleError, match="does not exist"):
        Ntu60Arrays().find(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(CrosscaleError, match="neither npy, npz nor pkl"):
        Ntu60Arrays().find(tmp_path / "a.txt")


def test_labels_that_would_run_something_are_refused(tmp_path, clips, shared, monkeypatch):
    evil = (shared("cases/45-pickle") / "label_evil.pkl").read_bytes()
    monkeypatch.chdir(tmp_path)
    folder = write_npy(tmp_path / "set", clips)
    (folder / "train_label.pkl").write_bytes(evil)
    with pytest.raises(CrosscaleError, match="it was not run"):
        Ntu60Arrays().find(folder)
    assert not (tmp_path / "ANCHOR_PICKLE_EXECUTED").exists()


def test_other_pickles_are_not_taken_for_annotations(tmp_path):
    (tmp_path / "other.pkl").write_bytes(
        pickle.dumps({"weights": [1.0], "note": "annotations" * 9})
    )
    assert Arrays.recognises(tmp_path) is None


def pictured(frames=9):
    """(1, T, 17, 2) pixels with y down of somebody who stands, moving a little, and (1, T, 17)."""
    layout = Layout.load("coco17")
    height = dict(
        zip(("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"), range(7), strict=True)
    )
    x = [300 + 30 * (name.startswith("left") - name.startswith("right")) for name in layout.joints]
    y = [100 + 40 * height.get(name.split("_")[-1], 0) for name in layout.joints]
    places = np.stack([x, y], -1) + RNG.uniform(0, 3, size=(1, frames, 17, 2))
    return places.astype(np.float32), np.full((1, frames, 17), 0.9, np.float32)


def test_keypoints_of_pictures_are_turned_over_and_those_not_found_are_missing(tmp_path):
    places, scores = pictured()
    clip = {"frame_dir": "one", "label": 0, "total_frames": 9}
    lost, unsure = places.copy(), scores.copy()
    lost[0, :, 3:5] = 0  # ears, put amid the rest of the face
    unsure[0, 4, 9] = 0.1  # a wrist, for a moment
    unsure[0, :, 3:5] = 0
    lost[0, -1] = unsure[0, -1] = 0  # nobody is there at the end
    folder = write_annotations(
        tmp_path / "own",
        [
            clip | {"keypoint": places, "keypoint_score": scores},
            clip | {"frame_dir": "two", "keypoint": lost, "keypoint_score": unsure},
            clip | {"frame_dir": "zero", "keypoint": lost},
        ],
    )
    reader = fitted(Arrays(), folder)
    assert reader.layout == "coco17"
    one, two, zero = read_all(folder, reader)
    np.testing.assert_allclose(one.coordinates[:, 0], places[0] * [1, -1], rtol=1e-5)
    assert two.coordinates.shape == zero.coordinates.shape == (8, 1, 17, 2)
    seen = [joint for joint in range(17) if joint not in (3, 4, 9)]
    np.testing.assert_allclose(two.coordinates[:, 0, seen], one.coordinates[:8, 0, seen], rtol=1e-6)
    np.testing.assert_allclose(zero.coordinates[:, 0, 9], one.coordinates[:8, 0, 9], rtol=1e-6)
    line = one.coordinates[[3, 5], 0, 9].mean(0)
    np.testing.assert_allclose(two.coordinates[4, 0, 9], line, rtol=1e-5)
    np.testing.assert_allclose(
        two.coordinates[:, 0, 3], two.coordinates[:, 0, :3].mean(1), rtol=1e-5
    )
    sure = read_all(folder, replace(reader, confidence=0.05))[1]
    np.testing.assert_allclose(sure.coordinates[4, 0, 9], one.coordinates[4, 0, 9], rtol=1e-6)
    up = read_all(folder, replace(reader, up="y"))[0]
    np.testing.assert_allclose(up.coordinates[:, 0], places[0], rtol=1e-5)


@pytest.mark.parametrize("extra", [0, 40, 50, 70])  # lengths that look like letters in a pickle
def test_pickles_of_many_clips_are_known_though_their_splits_come_first(tmp_path, extra):
    places, scores = pictured()
    split = {"xsub_train": [f"clip {i:06d}" for i in range(10_000 + extra)]}
    clip = {"frame_dir": "one", "keypoint": places, "keypoint_score": scores}
    folder = write_annotations(tmp_path, [clip], split)
    assert (
        Ntu60Arrays.recognises(folder)
        == "ntu60_3danno.pkl is a pickle of annotations, as PYSKL writes"
    )


def test_keypoints_of_pictures_beside_joints_in_space_are_told(tmp_path, clips):
    places, _ = pictured(len(clips[1]))
    folder = write_annotations(
        tmp_path, [annotation(0, clips[0]), annotation(1, clips[1], keypoint=places)]
    )
    with pytest.raises(CrosscaleError, match=r"\(17, 2\) and of \(25, 3\)"):
        Ntu60Arrays().find(folder)
