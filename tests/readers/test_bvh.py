"""BVH files of any hierarchy."""

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bvh_files import POSITIONS, Bone, person, still, text
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.mocap.bvh import Bvh, forward_kinematics, parse
from crosscale.readers.prepare import prepare

STANDING = (0.1, 0.9, -0.3)


@pytest.fixture
def write(tmp_path):
    """Write a file; gives its path."""

    def make(content: str, name: str = "walk.bvh"):
        path = tmp_path / "takes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return make


def places(content: str) -> dict[str, np.ndarray]:
    """(T, 3) by joint."""
    motion = parse(content.splitlines())
    found = forward_kinematics(motion.joints, motion.channels)
    return {joint.name: found[:, j] for j, joint in enumerate(motion.joints)}


def about(axis: str, degrees: float) -> np.ndarray:
    """The turn about one axis, as textbooks write it."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array(
        {
            "X": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


def plainly(bone: Bone, numbers: Iterator[float], place, turn) -> Iterator[np.ndarray]:
    """The joints of one frame, one after the other, as the format's description says."""
    step, own = np.array(bone.offset, float), np.eye(3)
    for channel in bone.channels:
        value = next(numbers)
        if channel.endswith("position"):
            step["XYZ".index(channel[0])] = value
        else:
            own = own @ about(channel[0], value)
    place, turn = place + turn @ step, turn @ own
    yield place
    for child in bone.children:
        yield from plainly(child, numbers, place, turn)
    if bone.end:
        yield place + turn @ np.array(bone.end, float)


number = st.floats(-200, 200).map(lambda x: round(x, 3))
offset = st.tuples(number, number, number)
channels = st.sampled_from(
    [
        *[(), ("Yrotation",), ("Xrotation", "Zrotation"), ("Zrotation", "Xrotation", "Zrotation")],
        *[("Yrotation", "Xrotation", "Zrotation"), (*POSITIONS, "Zrotation", "Yrotation")],
        *[("Zrotation", "Yposition", "Xrotation", "Xposition")],
    ]
)


@st.composite
def bones(draw, depth: int = 3) -> Bone:
    name = draw(st.sampled_from("abc"))
    children = draw(st.lists(bones(depth=depth - 1), max_size=2)) if depth else []
    return Bone(name, draw(offset), draw(channels), children, draw(st.none() | offset))


@settings(max_examples=60, deadline=None)
@given(root=bones(), frames=st.integers(1, 3), seed=st.integers(0, 99))
def test_joints_are_where_a_plain_walk_through_the_hierarchy_puts_them(root, frames, seed):
    root.channels = root.channels or POSITIONS
    columns = sum(len(bone.channels) for bone in root.all())
    numbers = np.random.default_rng(seed).uniform(-180, 180, (frames, columns)).round(3)
    motion = parse(text(root, numbers).splitlines())
    found = forward_kinematics(motion.joints, motion.channels)
    for t in range(frames):
        expected = list(plainly(root, iter(numbers[t]), np.zeros(3), np.eye(3)))
        np.testing.assert_allclose(found[t], expected, atol=1e-9)


def test_without_turns_a_joint_lies_at_the_sum_of_its_offsets():
    root = person()
    found = places(text(root, still(root, place=STANDING)))
    np.testing.assert_allclose(found["LeftHand_end"], [np.add(STANDING, (0.2, -0.2, 0))] * 3)
    np.testing.assert_allclose(found["Head"], [np.add(STANDING, (0, 0.58, 0))] * 3)


def test_turning_the_root_turns_the_whole_body():
    root = person()
    numbers = still(root)
    before = places(text(root, numbers))
    numbers[:, 3:6] = 30, -70, 110
    turn = about("Z", 30) @ about("X", -70) @ about("Y", 110)
    for name, place in places(text(root, numbers)).items():
        np.testing.assert_allclose(place, before[name] @ turn.T, atol=1e-12)


def test_bones_keep_their_lengths_however_they_turn():
    root = person()
    numbers = still(root, 20)
    numbers[:, 3:] = np.random.default_rng(0).uniform(-180, 180, numbers[:, 3:].shape)
    found = places(text(root, numbers))
    shin = np.linalg.norm(found["LeftFoot"] - found["LeftLeg"], axis=-1)
    np.testing.assert_allclose(shin, 0.42)


@pytest.mark.parametrize(
    ("scale", "units"),
    [
        (1, "metres"),
        (100, "centimetres"),
        (1000, "millimetres"),
        (1 / 0.0254, "inches"),
        (0.45 / 0.0254, "cmu"),
    ],
)
def test_units_are_guessed_from_the_height_and_told(write, scale, units):
    root = person(scale)
    source = write(text(root, still(root, place=np.multiply(STANDING, scale))))
    clip = fitted(make_reader("bvh"), source).read(Bvh().find(source)[0])
    height = np.ptp(clip.coordinates[0, 0, :, 1])
    assert height == pytest.approx(0.78 + 0.92, rel=1e-5)
    assert clip.notes == (f"units are not said and taken to be {units}",)


def test_units_may_be_given(write):
    source = write(text(person(), still(person(), place=STANDING)))
    reader = fitted(make_reader("bvh", units="centimetres"), source)
    clip = reader.read(reader.find(source)[0])
    assert np.ptp(clip.coordinates[..., 1]) == pytest.approx(0.017, rel=1e-5)
    assert clip.notes == ()


def test_a_body_that_stands_along_z_is_turned_without_being_mirrored(write):
    root = person()
    numbers = still(root, place=STANDING)
    upright = Bvh().read(Bvh().find(write(text(root, numbers), "y.bvh"))[0])
    numbers[:, :3] = STANDING[0], -STANDING[2], STANDING[1]
    numbers[:, 4] = 90  # about x: y becomes z
    turned = Bvh().read(Bvh().find(write(text(root, numbers), "z.bvh"))[0])
    np.testing.assert_allclose(turned.coordinates, upright.coordinates, atol=1e-6)
    assert "axes turned so that y is up instead of z" in turned.notes


def test_a_take_on_the_floor_is_not_stood_up_when_others_stand(write):
    root = person()
    lying = still(root, place=STANDING)
    lying[:, 4] = 90
    for i in range(3):
        source = write(text(root, still(root, place=STANDING)), f"{i}.bvh").parent
    write(text(root, lying), "lies.bvh")
    reader = fitted(make_reader("bvh"), source)
    clip = reader.read(reader.find(source)[-1])
    assert np.ptp(clip.coordinates[0, 0, :, 2]) > np.ptp(clip.coordinates[0, 0, :, 1])


def test_the_frame_rate_is_that_of_the_frame_time(write):
    item = Bvh().find(write(text(person(), still(person()), 0.033333)))[0]
    assert Bvh().read(item).frame_rate == 30.0


def test_files_of_another_hierarchy_are_skipped_with_the_joints_they_lack(write, tmp_path):
    other = person()
    other.children[1].name = "LeftThigh"
    write(text(person(), still(person(), place=STANDING)), "a/one.bvh")
    write(text(other, still(other, place=STANDING)), "b/two.bvh")
    write(text(person(), still(person(), place=STANDING)), "b/three.bvh")
    report = prepare(make_reader("bvh"), tmp_path / "takes", tmp_path / "store")
    assert [one.name for one in report.skipped] == ["b/two"]
    assert "two.bvh lacks left_up_leg" in report.skipped[0].reason
    store = ClipStore.open(tmp_path / "store")
    assert store.names == ["a/one", "b/three"]
    assert store.layout.joints[0] == "hips"
    assert set(store.layout.scales) >= {"part10", "body5"}
    assert report.repaired == {"units are not said and taken to be metres": 2}


def test_a_layout_of_the_user_takes_the_joints_that_it_names(write, tmp_path):
    joints = ["Hips", "Neck", "left_arm", "right_arm", "LeftUpLeg", "RightUpLeg"]
    mine = {
        "name": "few",
        "joints": joints,
        "centre": "Neck",
        "root": ["Hips"],
        "shoulders": ["left_arm", "right_arm"],
        "hips": ["LeftUpLeg", "RightUpLeg"],
        "parents": {j: "Neck" if j in joints[:4] else "Hips" for j in joints if j != "Neck"},
    }
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(mine))
    source = write(text(person(), still(person(), place=STANDING)))
    reader = fitted(make_reader("bvh", layout=str(tmp_path / "few.yaml")), source)
    clip = reader.read(reader.find(source)[0])
    np.testing.assert_allclose(clip.coordinates[0, 0, 2], np.add(STANDING, (0.2, 0.43, 0)), 1e-6)


def test_the_first_file_that_can_be_read_tells_the_layout(write, tmp_path):
    write("HIERARCHY", "0.bvh")
    source = write(text(person(), still(person(), place=STANDING)), "1.bvh").parent
    report = prepare(make_reader("bvh"), source, tmp_path / "store")
    assert (report.read, [one.name for one in report.skipped]) == (1, ["0"])


def test_a_source_without_any_whole_file_is_told(write, tmp_path):
    source = write("HIERARCHY", "0.bvh").parent
    with pytest.raises(CrosscaleError, match=r"the recording cannot be used; 0.bvh: line"):
        prepare(make_reader("bvh"), source, tmp_path / "store")


def test_a_reader_that_has_seen_its_source_travels_to_other_processes(write):
    source = write(text(person(), still(person(), place=STANDING)))
    reader = fitted(make_reader("bvh"), source)
    item = reader.find(source)[0]
    there = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(there.read(item).coordinates, reader.read(item).coordinates)


@pytest.mark.parametrize(("time", "rate"), [(0, None), (1e9, None), (1 / 120, 120.0)])
def test_a_frame_time_that_makes_no_sense_is_no_rate(write, time, rate):
    assert Bvh().take(write(text(person(), still(person()), time))).frame_rate == rate


def test_names_that_tell_nothing_are_answered_with_a_layout_to_complete(write, tmp_path):
    root = Bone("a", (0, 1, 0), POSITIONS, [Bone("b", (0, 1, 0))])
    with pytest.raises(CrosscaleError, match=r"no joint is called left_elbow.*\n\nname: bvh2"):
        prepare(make_reader("bvh"), write(text(root, still(root))), tmp_path / "store")
    assert not (tmp_path / "store").exists()


GOOD = text(person(), still(person()))
WITHOUT_LAST = GOOD.rstrip().removesuffix(" 0.0")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "line 0: MOTION should follow"),
        ("HIERARCHY\n" + "ROOT a\n{\n" * 2, "a second ROOT"),
        ("HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\n" * 5000, "more than 1000 joints"),
        (GOOD[: GOOD.index("MOTION") - 3], "MOTION should follow, but the file ends"),
        (GOOD[: GOOD.index("MOTION") + 7], "should be Frames:"),
        (GOOD.replace("Frames: 3", "Frames: 1000000000"), "says 1000000000 frames, 3 follow"),
        (GOOD.replace("Frames: 3", "Frames: 2"), "says 2 frames, 3 follow"),
        (WITHOUT_LAST, r"line 107: has 50 numbers, not 51; the file is cut off here"),
        (WITHOUT_LAST + " x", "line 107: 'x' is not a number"),
        (WITHOUT_LAST + " 0 0", "line 107: has 52 numbers, not 51$"),
        (WITHOUT_LAST + " nan", "frame 2: a number is not finite"),
        (GOOD.replace("Frame Time: 0.01", "Frame Time: 0,01"), "'0,01' is not a number of sec"),
        (GOOD.replace("CHANNELS 3", "CHANNELS 4", 1), "CHANNELS needs their number"),
        (GOOD.replace("Zrotation", "Wrotation", 1), "CHANNELS needs their number"),
        (GOOD.replace("OFFSET 0.0 0.43 0.0", "OFFSET 0.0 0.43", 1), "OFFSET needs three"),
        (GOOD.replace("OFFSET 0.0 0.43 0.0\n", "", 1), "Spine has no OFFSET"),
        (GOOD.replace("{", "", 1), "out of place"),
        (GOOD.replace("}", "", 1), "is not closed before MOTION"),
        (GOOD.replace("}", "} }", 1), "is out of place|hangs on nothing|without its|outside"),
    ],
)
def test_what_is_wrong_is_told_with_the_line(write, content, told):
    path = write(content)
    with pytest.raises(BadClip, match=told) as failure:
        Bvh().take(path)
    assert str(failure.value).startswith("walk.bvh: ")


def test_it_is_recognised(write, tmp_path):
    assert Bvh.recognises(tmp_path) is None
    source = write(GOOD).parent
    assert Bvh.recognises(source) == "walk.bvh begins with HIERARCHY"
    (source / "walk.bvh").write_text("something else")
    assert Bvh.recognises(source) is None
