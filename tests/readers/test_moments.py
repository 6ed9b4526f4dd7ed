"""Numbers of frames are time: skipped ones are a gap, and of two rows of one the later is kept."""

import csv
import json
import pickle
from functools import partial

import h5py
import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.datasets.sbu import STEP, ZERO
from crosscale.skeleton.layout import Layout
from skeleton_files import standing

TRC_HEAD = "PathFileType\t4\t(X/Y/Z)\ta.trc\nDataRate\tNumFrames\tUnits\n30\t{}\tm\n"
LATER = "rows of which a later one has the same moment dropped: 1"
NUMBERS = [7, 8, 9, 10, 14, 15, 16, 17, 18, 19, 20]
KINECT = [
    "".join(word.capitalize() for word in [*name.split("_")[1:], name.split("_")[0]])
    if name.startswith(("left", "right"))
    else "".join(word.capitalize() for word in name.split("_"))
    for name in Layout.load("ntu25").joints
]


def read(source_format, path, **options):
    reader = fitted(make_reader(source_format, **options), path)
    return reader.read(reader.find(path)[0])


def bodies(numbers):
    """(R, 25, 3) of somebody who goes a centimetre a frame."""
    return np.stack([standing(x=0.01 * number) for number in numbers])


def write_kinect(path, numbers, joints, column="Frame", body=False):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        named = [f"{joint}_{axis}" for joint in KINECT for axis in "XYZ"]
        rows.writerow([column, *["Body"] * body, *named])
        for number, places in zip(numbers, joints, strict=True):
            rows.writerow([number, *["b"] * body, *places.ravel()])


def write_kinect_long(path, numbers, joints):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", "joint", "x", "y", "z"])
        for number, places in zip(numbers, joints, strict=True):
            rows.writerows(
                [number, name, *place] for name, place in zip(KINECT, places, strict=True)
            )


def write_trc(path, numbers, joints):
    names = Layout.load("ntu25").joints
    lines = ["Frame#\tTime\t" + "\t\t\t".join(names), ""]
    lines += [
        "\t".join(map(str, [number, number / 30, *places.ravel()]))
        for number, places in zip(numbers, joints, strict=True)
    ]
    path.write_text(TRC_HEAD.format(len(numbers)) + "\n".join(lines))


def write_mediapipe(path, numbers, joints):
    places = np.pad(joints, ((0, 0), (0, 8), (0, 0)), "reflect") * [-1, -1, 1]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", *(f"{axis}{i}" for i in range(33) for axis in "xyz")])
        places -= places[:, 23:25].mean(1, keepdims=True)
        for number, frame in zip(numbers, places, strict=True):
            rows.writerow([number, *frame.ravel()])


def write_azure(path, numbers, joints, key="frame_id"):
    scale = {"frame_id": 1, "timestamp_usec": 33333}[key]
    azure = np.pad(joints, ((0, 0), (0, 7), (0, 0)), "reflect") * [-1000, -1000, 1000]
    frames = [
        {key: scale * number, "bodies": [{"body_id": 1, "joint_positions": places.tolist()}]}
        for number, places in zip(numbers, azure, strict=True)
    ]
    path.write_text(json.dumps({"frames": frames}))


def write_landmarks(path, numbers, joints):
    places = np.pad(joints, ((0, 0), (0, 8), (0, 0)), "reflect") * [-1, -1, 1]
    places -= places[:, 23:25].mean(1, keepdims=True)
    frames = [
        {"frame": number, "pose_world_landmarks": frame.tolist()}
        for number, frame in zip(numbers, places, strict=True)
    ]
    path.write_text(json.dumps(frames))


def write_table(path, numbers, joints):
    rows = np.column_stack([numbers, joints.reshape(len(joints), -1)])
    np.savetxt(path, rows, header=f"frame;{';'.join(Layout.load('ntu25').joints)}", comments="")


def write_table_of_joints(path, numbers, joints):
    np.savetxt(path, np.column_stack([np.repeat(numbers, 25), joints.reshape(-1, 3)]))


def write_sbu(path, numbers, joints):
    pair = np.stack([joints[:, :15], joints[:, 10:]], axis=1)
    rows = np.column_stack([numbers, ((pair - ZERO) / STEP).reshape(len(pair), -1)])
    path.parent.mkdir(parents=True)
    np.savetxt(path, rows, delimiter=",")


METRES = {"layout": "ntu25", "units": "metres", "up": "y"}
WRITERS = {
    "kinect": (write_kinect, "a.csv", {}),
    "kinect by joints": (write_kinect_long, "a.csv", {}),
    "trc": (write_trc, "a.trc", METRES),
    "mediapipe": (write_mediapipe, "a.csv", {}),
    "mediapipe by landmarks": (write_landmarks, "a.json", {}),
    "azure": (write_azure, "a.json", {}),
    "azure by clock": (partial(write_azure, key="timestamp_usec"), "a.json", {}),
    "table": (write_table, "a.csv", METRES),
    "table of joints": (write_table_of_joints, "a.txt", METRES),
    "sbu": (write_sbu, "s02s03/05/001/skeleton_pos.txt", {}),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_frames_that_are_skipped_are_a_gap(kind, tmp_path):
    write, name, options = WRITERS[kind]
    write(tmp_path / name, NUMBERS, bodies(NUMBERS))
    clip = read(kind.split()[0], tmp_path / name, **options)
    assert clip.present[:, 0].tolist() == [number in NUMBERS for number in range(7, 21)]
    if not kind.startswith("mediapipe"):  # whose hips stay in one place
        found = clip.coordinates[:, 0, :15][clip.present[:, 0]]
        np.testing.assert_allclose(found, bodies(NUMBERS)[:, :15], atol=1e-5)


@pytest.mark.parametrize("kind", WRITERS)
def test_of_two_rows_of_one_frame_the_later_is_kept(kind, tmp_path):
    write, name, options = WRITERS[kind]
    numbers = [*range(5), *range(4, 20)]
    joints = bodies(numbers)
    joints[4] += 1
    write(tmp_path / name, numbers, joints)
    clip = read(kind.split()[0], tmp_path / name, **options)
    assert len(clip.coordinates) == 20
    dropped = LATER.replace("1", "25") if kind == "kinect by joints" else LATER
    assert dropped in clip.notes
    if not kind.startswith("mediapipe"):
        np.testing.assert_allclose(clip.coordinates[4, 0, :15], joints[5, :15], atol=1e-5)


def test_two_rows_with_one_timestamp_do_not_set_a_recording_aside(tmp_path):
    times = [round(33.3 * t) for t in range(20)]
    times[8] = times[7]
    for body in (False, True):
        write_kinect(tmp_path / "a.csv", times, bodies(range(20)), "Timestamp", body)
        clip = read("kinect", tmp_path / "a.csv")
        assert clip.notes[0] == LATER
        assert len(clip.coordinates) == 20  # the clock goes on by two frames afterwards
        np.testing.assert_allclose(clip.coordinates[7, 0], bodies([8])[0], atol=1e-5)


def test_fractions_in_place_of_mediapipes_frame_numbers_are_a_clock(tmp_path):
    seconds = [round(number / 30, 3) for number in NUMBERS]
    write_landmarks(tmp_path / "a.json", seconds, bodies(NUMBERS))
    clip = read("mediapipe", tmp_path / "a.json")
    assert clip.present[:, 0].tolist() == [number in NUMBERS for number in range(7, 21)]


def test_a_clock_of_full_seconds_says_nothing_of_frames(tmp_path):
    write_kinect(tmp_path / "a.csv", [t // 30 for t in range(90)], bodies(range(90)), "Time")
    assert len(read("kinect", tmp_path / "a.csv").coordinates) == 90


@pytest.mark.parametrize("kind", ["kinect", "trc", "mediapipe"])
def test_many_rows_of_one_frame_are_told(kind, tmp_path):
    write, name, options = WRITERS[kind]
    write(tmp_path / name, [1, 1, 2, 2, 3, 3], bodies(range(6)))
    with pytest.raises(CrosscaleError, match=r"twice|number of another"):
        read(kind, tmp_path / name, **options)


def test_deeplabcuts_index_is_time(shared, tmp_path):
    case = shared("cases/b02-dlc-frame-index")
    clip = read("deeplabcut", case / "in" / "mouseDLC_resnet.csv", layout=case / "mouse.yaml")
    assert clip.present[:, 0].tolist() == [n not in range(15, 20) for n in range(11, 25)]
    nose = clip.coordinates[clip.present][:, 0, 0]
    there = [11, 12, 13, 14, 20, 21, 22, 23, 24]
    np.testing.assert_allclose(nose, [100 + n for n in there])
    assert "empty frames inside: 5" in clip.notes


def test_the_index_of_deeplabcuts_hdf5_is_time(tmp_path):
    rows = np.zeros(4, [("index", "<i8"), ("values_block_0", "<f8", (6,))])
    rows["index"] = [3, 4, 8, 9]
    rows["values_block_0"] = [[n, 5, 1, n, 9, 1] for n in (3, 4, 8, 9)]
    columns = [("DLC", part, c) for part in ("nose", "tail") for c in ("x", "y", "likelihood")]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        table = file.create_group("df").create_dataset("table", data=rows)
        table.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, 0))
    (tmp_path / "two.yaml").write_text(
        "name: two\njoints: [nose, tail]\ncentre: nose\nroot: [nose]\nshoulders: [nose, tail]\n"
        "hips: [nose, tail]\nparents: {nose: nose, tail: nose}\n"
    )
    clip = read("deeplabcut", tmp_path / "a.h5", layout=tmp_path / "two.yaml")
    assert clip.present[:, 0].tolist() == [True, True, False, False, False, True, True]
