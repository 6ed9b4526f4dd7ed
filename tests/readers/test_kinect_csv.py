"""CSV tables of Kinect v1 and v2."""

import numpy as np
import pytest

from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.prepare import prepare
from crosscale.readers.sensors.kinect_csv import KinectCsv
from crosscale.skeleton.layout import Layout

# JointType of Kinect for Windows SDK 1.8 and 2.0, in their order
SIDES = ("Left", "Right")
V1 = ["HipCenter", "Spine", "ShoulderCenter", "Head"]
V1 += [f"{j}{s}" for s in SIDES for j in ("Shoulder", "Elbow", "Wrist", "Hand")]
V1 += [f"{j}{s}" for s in SIDES for j in ("Hip", "Knee", "Ankle", "Foot")]
V2 = ["SpineBase", "SpineMid", "Neck", "Head", *V1[4:], "SpineShoulder"]
V2 += ["HandTipLeft", "ThumbLeft", "HandTipRight", "ThumbRight"]
SENSORS = {"kinect20": V1, "ntu25": V2}
each_sensor = pytest.mark.parametrize("sensor", SENSORS)


def bodies(sensor: str, frames: int = 4, x: float = 0.0) -> np.ndarray:
    """(T, V, 3) of an upright person, each joint at a place of its own."""
    joints = len(SENSORS[sensor])
    rng = np.random.default_rng(joints)
    still = rng.uniform([x - 0.2, -0.9, 2.9], [x + 0.2, 0.9, 3.1], (joints, 3))
    return (still + 0.01 * np.arange(frames)[:, None, None]).round(4)


def wide(sensor, *people, form="{}_{}", mark=",", body=None, change=lambda rows: rows) -> str:
    """A row for each body and frame."""
    named = [form.format(joint, axis) for joint in SENSORS[sensor] for axis in "XYZ"]
    header = ["Frame", *([body] if body else []), *named]
    rows = [
        [str(t + 7), *([str(72057594 + b)] if body else []), *map(str, person[t].ravel())]
        for t in range(len(people[0]))
        for b, person in enumerate(people)
    ]
    return "\n".join(mark.join(row) for row in change([header, *rows])) + "\n"


@pytest.fixture
def write(tmp_path):
    def make(content: str, name: str = "wave.csv"):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return make


def read(path):
    reader = fitted(make_reader("kinect"), path)
    return reader.read(reader.find(path)[0])


@each_sensor
@pytest.mark.parametrize("form", ["{}_{}", "{}{}", "{}.{}", "{} {}", "{}_Position_{}", "{} ({})"])
def test_the_sensor_is_told_by_the_names_and_joints_are_matched_by_them(sensor, form, write):
    path = write(wide(sensor, bodies(sensor), form=form))
    reader = fitted(KinectCsv(), path)
    assert reader.layout == sensor
    clip = reader.read(reader.find(path)[0])
    np.testing.assert_allclose(clip.coordinates[:, 0], bodies(sensor), rtol=1e-6)
    assert (clip.frame_rate, clip.notes) == (30.0, ())


@each_sensor
def test_the_names_are_those_of_the_layouts(sensor, write):
    layout = Layout.load(sensor)
    person = bodies(sensor)
    clip = read(write(wide(sensor, person)))
    hand = SENSORS[sensor].index("HandLeft")
    np.testing.assert_allclose(
        clip.coordinates[:, 0, layout.index("left_hand")], person[:, hand], rtol=1e-6
    )


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_marks_between_cells_and_decimal_commas_are_read(mark, write):
    content = wide("ntu25", bodies("ntu25"), mark=mark)
    clip = read(write(content.replace(".", ",") if mark == ";" else content))
    np.testing.assert_allclose(clip.coordinates[:, 0], bodies("ntu25"), rtol=1e-6)


def test_several_people_are_told_apart_by_their_id(write):
    people = bodies("ntu25", x=-0.5), bodies("ntu25", x=1.5)
    clip = read(write(wide("ntu25", *people, body="TrackingId")))
    assert set(clip.bodies) == {"72057594", "72057595"}
    for name, person in zip(("72057594", "72057595"), people, strict=True):
        np.testing.assert_allclose(clip.coordinates[:, clip.bodies.index(name)], person, rtol=1e-6)


@each_sensor
@pytest.mark.parametrize("numbered", [False, True])
def test_rows_joint_by_joint_are_read_in_any_order(sensor, numbered, write):
    person = bodies(sensor)
    rows = [
        f"{t},{j if numbered else joint},{','.join(map(str, person[t, j]))}"
        for t in range(len(person))
        for j, joint in enumerate(SENSORS[sensor])
    ]
    np.random.default_rng(0).shuffle(rows)
    path = write("\n".join(["time,joint,x,y,z", *rows]))
    np.testing.assert_allclose(read(path).coordinates[:, 0], person, rtol=1e-6)


def test_joints_that_are_not_tracked_are_filled_in(write):
    person = bodies("ntu25", 10)
    lost = person.copy()
    lost[4, 7] = 0  # the SDK's place for what it does not track
    states = np.full(10, 2)
    states[6], lost[6, 3] = 0, 9

    def with_states(rows):
        marks = ["Head_State", *map(str, states)]
        return [[*row, mark] for row, mark in zip(rows, marks, strict=True)]

    clip = read(write(wide("ntu25", lost, change=with_states)))
    np.testing.assert_allclose(clip.coordinates[:, 0], person, atol=1e-5)
    assert clip.notes == ("joints missing for a moment, filled by a line: 2",)


def test_rows_of_bodies_that_the_sensor_does_not_see_are_no_bodies(write):
    nobody = np.zeros((4, 25, 3))
    clip = read(write(wide("ntu25", nobody, bodies("ntu25"), body="BodyIndex")))
    assert clip.bodies == ("72057595",)
    assert clip.notes == ()


def test_a_folder_of_two_sensors_keeps_the_first_and_tells_of_the_other(write, tmp_path):
    write(wide("ntu25", bodies("ntu25")), "a.csv")
    write(wide("kinect20", bodies("kinect20")), "b.csv")
    report = prepare(KinectCsv(), tmp_path, tmp_path / "store")
    assert ClipStore.open(tmp_path / "store").layout.name == "ntu25"
    assert [one.reason for one in report.skipped] == [
        "b.csv: has no columns of spine_base, spine_mid, neck, spine_shoulder, left_hand_tip "
        "of ntu25"
    ]


GOOD = wide("kinect20", bodies("kinect20"))
LONG = "frame,joint,x,y,z\n0,HipCenter,1,2,3\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "has no rows"),
        (GOOD.partition("\n")[0], "has no rows"),
        (GOOD.rstrip()[:-30], "Row #5: Expected 61 columns, got"),
        (GOOD.replace("0.0", "o.0", 1), "invalid value"),
        (GOOD.replace("Head_X", "Hat_X"), "it lacks head"),
        (LONG, "it lacks spine"),
        (wide("ntu25", bodies("ntu25"), bodies("ntu25")).replace("Frame", "Body", 1), "two|frame"),
    ],
)
def test_what_is_wrong_is_told(write, content, told):
    with pytest.raises(CrosscaleError, match=told) as failure:
        read(write(content))
    assert "wave.csv" in str(failure.value)


def test_a_body_twice_in_a_frame_is_told(write):
    twice = wide("ntu25", bodies("ntu25"), bodies("ntu25"), body="Id").replace(
        "72057595", "72057594"
    )
    with pytest.raises(BadClip, match="frame 0: body 72057594 is there twice"):
        read(write(twice))


def test_it_is_recognised(write, tmp_path):
    assert KinectCsv.recognises(tmp_path) is None
    write("a,b\n1,2\n", "a.csv")
    assert KinectCsv.recognises(tmp_path) is None
    write(GOOD, "b.csv")
    assert KinectCsv.recognises(tmp_path) == "b.csv names the joints of Kinect v1"
