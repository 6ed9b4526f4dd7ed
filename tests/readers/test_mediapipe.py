"""MediaPipe's 33 landmarks in JSON, CSV and npy."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.errors import CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.pose.mediapipe import MediaPipe
from crosscale.skeleton.layout import Layout
from estimator_files import person, walking

JOINTS = Layout.load("blazepose33").joints
KEYS = ("x", "y", "z", "visibility")


def world(frames: int = 6) -> np.ndarray:
    """(T, 33, 4) metres, y down, the hips' middle at the origin, and visibility."""
    pixels = np.array(walking("blazepose33", frames))[:, 0, :, :2] * 0.008
    places = np.concatenate(
        [pixels, np.linspace(-0.2, 0.2, 33)[None, :, None].repeat(frames, 0)], -1
    )
    places -= places[:, [23, 24]].mean(1, keepdims=True)
    return np.concatenate([places, np.full((frames, 33, 1), 0.9)], axis=-1)


def image(frames: int = 6) -> np.ndarray:
    """(T, 33, 4) shares of the picture, and visibility."""
    x = np.array(walking("blazepose33", frames))[:, 0]
    return np.concatenate([x[..., :2] / [640, 480], x[..., :1] * 0, x[..., 2:]], axis=-1)


def objects(landmarks: np.ndarray) -> list[dict]:
    return [dict(zip(KEYS, row, strict=True)) for row in landmarks.tolist()]


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def read(path, **options):
    reader = fitted(make_reader("mediapipe", **options), path)
    return reader.read(reader.find(path)[0])


def y_up(landmarks: np.ndarray) -> np.ndarray:
    return landmarks[..., :3] * [-1, -1, 1]


SHAPES = {
    "python": lambda w, i: {"pose_world_landmarks": objects(w), "pose_landmarks": objects(i)},
    "tasks": lambda w, i: {"pose_landmarks": [objects(i)], "pose_world_landmarks": [objects(w)]},
    "protobuf": lambda w, i: {"pose_world_landmarks": {"landmark": objects(w)}},
    "javascript": lambda w, i: {"landmarks": [objects(i)], "worldLandmarks": [objects(w)]},
    "solutions.js": lambda w, i: {"poseLandmarks": objects(i), "poseWorldLandmarks": objects(w)},
    "lists": lambda w, i: {"pose_world_landmarks": w.tolist()},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_world_landmarks_are_metres_with_y_up(shape, tmp_path):
    w, i = world(), image()
    frames = [SHAPES[shape](*pair) for pair in zip(w, i, strict=True)]
    clip = read(write(tmp_path / "a.json", frames))
    np.testing.assert_allclose(clip.coordinates[:, 0], y_up(w), atol=1e-6)
    nose, ankle = (clip.coordinates[0, 0, JOINTS.index(j), 1] for j in ("nose", "left_ankle"))
    assert nose - ankle > 1
    assert (clip.notes, clip.bodies) == ((), ("0",))


ENUM = [  # as MediaPipe's PoseLandmark names them
    "_".join(["MOUTH", *j.split("_")[:1]]).upper() if "mouth" in j else j.upper() for j in JOINTS
]
ALONE = {
    "list": objects,
    "numbers": lambda one: one.ravel().tolist(),
    "by name": lambda one: dict(reversed(list(zip(ENUM, objects(one), strict=True)))),
    "people": lambda one: [objects(one)],
}


@pytest.mark.parametrize("form", ALONE)
def test_landmarks_alone_are_known_by_the_middle_of_the_hips(form, tmp_path):
    w, i = world(33), image(33)
    path = write(tmp_path / "world.json", [ALONE[form](one) for one in w])
    np.testing.assert_allclose(read(path).coordinates[:, 0], y_up(w), atol=1e-6)
    assert form == "people" or MediaPipe.recognises(path) == "world.json has 33 landmarks a frame"
    clip = read(write(tmp_path / "image.json", {"frames": [ALONE[form](one) for one in i]}))
    np.testing.assert_allclose(clip.coordinates[:, 0], i[..., :2] * [1, -1], atol=1e-6)


def test_landmarks_of_one_picture_are_a_clip_of_one_frame(tmp_path):
    clip = read(write(tmp_path / "a.json", objects(world()[0])))
    np.testing.assert_allclose(clip.coordinates[:, 0], y_up(world()[:1]), atol=1e-6)


def test_landmarks_by_name_may_be_some_of_them(tmp_path):
    frames = [dict(zip(ENUM, objects(one), strict=True)) for one in world()]
    for frame in frames:
        del frame["LEFT_ELBOW"]
    with pytest.raises(CrosscaleError, match=r"left_elbow is seen in 0% of the frames"):
        read(write(tmp_path / "a.json", frames))


def test_landmarks_of_the_picture_need_its_size(tmp_path):
    frames = [{"pose_landmarks": objects(one)} for one in image()]
    told = {"width": 640, "height": 480, "fps": 25, "frames": frames}
    clip = read(write(tmp_path / "a.json", told))
    pixels = np.array(walking("blazepose33"))[:, 0, :, :2] * [1, -1]
    np.testing.assert_allclose(clip.coordinates[:, 0], pixels, rtol=1e-5)
    assert (clip.frame_rate, clip.notes) == (25.0, ())
    square = read(write(tmp_path / "b.json", frames))
    np.testing.assert_allclose(square.coordinates[:, 0], pixels / [640, 480], rtol=1e-5)
    assert square.notes == ("size of the picture not said, which is taken to be square",)


@pytest.mark.parametrize("nobody", [None, [], {}, {"pose_landmarks": []}, {"pose_landmarks": None}])
def test_frames_with_nobody(nobody, tmp_path):
    frames = [{"pose_landmarks": objects(one)} for one in image()]
    frames[2] = nobody
    clip = read(write(tmp_path / "a.json", frames))
    assert clip.present[:, 0].tolist() == [True, True, False, True, True, True]


def test_several_people_are_told_apart(tmp_path):
    two = np.stack([person("blazepose33", x) for x in (100, 400)])[..., [0, 1, 1, 2]]
    two[..., :3] /= 640
    frames = [
        {"pose_landmarks": [objects(one) for one in two[:: 1 - 2 * (t % 2)]]} for t in range(6)
    ]
    clip = read(write(tmp_path / "a.json", frames))
    assert clip.coordinates.shape[1] == 2
    assert np.ptp(clip.coordinates, axis=0).max() == 0


def test_joints_hidden_in_the_picture_are_missing_and_in_space_are_kept(tmp_path):
    w, i = world(), image()
    w[2, 15, 3] = i[2, 15, 3] = 0.1
    plane = read(write(tmp_path / "a.json", [{"pose_landmarks": objects(one)} for one in i]))
    assert "joints of low confidence taken as missing: 1" in plane.notes
    space = [{"pose_world_landmarks": objects(one)} for one in w]
    assert read(write(tmp_path / "b.json", space)).notes == ()
    assert read(tmp_path / "b.json", confidence=0.3).notes != ()


def columns(style: str) -> list[str]:
    if style == "names":
        return [f"{joint.upper()}_{key}" for joint in JOINTS for key in KEYS]
    if style == "sides":  # as MediaPipe calls them, with the side behind
        sided = [
            j.replace("left_mouth", "mouth_left").replace("right_mouth", "mouth_right")
            for j in JOINTS
        ]
        return [f"{joint}.{key}" for joint in sided for key in KEYS]
    if style == "landmark_0_x":
        return [f"landmark_{j}_{key}" for j in range(33) for key in KEYS]
    first = {"x0": 0, "x1": 1}[style]
    return [f"{key}{j + first}" for j in range(33) for key in "xyzv"]


@pytest.mark.parametrize("style", ["names", "sides", "landmark_0_x", "x0", "x1"])
@pytest.mark.parametrize("make", [world, image])
def test_a_table_tells_by_its_hips_which_landmarks_it_has(style, make, tmp_path):
    landmarks = make()
    landmarks[3] = np.nan
    rows = [
        ",".join("" if np.isnan(x) else repr(x) for x in one.ravel().tolist()) for one in landmarks
    ]
    path = tmp_path / "a.csv"
    header = ",".join(["frame", *columns(style)])
    path.write_text("\n".join([header, *(f"{t},{row}" for t, row in enumerate(rows))]))
    clip = read(path)
    expected = y_up(landmarks) if make is world else landmarks[..., :2] * [1, -1]
    np.testing.assert_allclose(clip.coordinates[:, 0], expected, atol=1e-6)
    assert MediaPipe.recognises(tmp_path) == "a.csv has columns of 33 landmarks"


@pytest.mark.parametrize("size", [3, 4, 5])
@pytest.mark.parametrize("make", [world, image])
def test_an_array_is_read(size, make, tmp_path):
    landmarks = np.concatenate([make(), np.ones((6, 33, 1))], axis=-1)[..., :size]
    np.save(tmp_path / "a.npy", landmarks.astype(np.float32))
    clip = read(tmp_path / "a.npy")
    expected = y_up(landmarks) if make is world else landmarks[..., :2] * [1, -1]
    np.testing.assert_allclose(clip.coordinates[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 32, 3), (6, 33), (6, 33, 2), (0, 33, 3)])
def test_an_array_of_another_shape_is_told(shape, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(CrosscaleError, match=r"a.npy: (has shape|shows no body)"):
        read(tmp_path / "a.npy")


def test_a_header_that_claims_a_huge_array_is_told(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, world())
    path.write_bytes(path.read_bytes().replace(b"(6, 33, 4)", b"(9999999999, 33, 4)".ljust(10)))
    with pytest.raises(CrosscaleError, match=r"a.npy"):
        read(path)


def test_another_number_of_landmarks_is_told_with_its_frame(tmp_path):
    frames = [{"pose_landmarks": objects(one)} for one in image()]
    frames[4]["pose_landmarks"].pop()
    with pytest.raises(
        CrosscaleError, match=r"a.json: frame 4, person 0: has 32 landmarks, not 33"
    ):
        read(write(tmp_path / "a.json", frames))


def test_a_table_without_all_landmarks_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("frame,nose_x,nose_y,nose_z\n0,1,2,3\n")
    with pytest.raises(
        CrosscaleError, match=r"a.csv: lacks the columns left_eye_inner x, .*nose_x or"
    ):
        read(tmp_path / "a.csv")


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_json_holds_is_read_or_told(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    frames = [{"pose_landmarks": objects(one)} for one in image(3)]
    spots = [(frames, 1), (frames[1], "pose_landmarks"), (frames[1]["pose_landmarks"], 5)]
    spots += [(frames[1]["pose_landmarks"][5], key) for key in KEYS]
    where, key = data.draw(st.sampled_from(spots))
    odd = [None, [], {}, "x", -1, 10**400, [[]], [None], True, float("nan"), [{}], {"landmark": 1}]
    where[key] = data.draw(st.sampled_from(odd))
    try:
        clip = read(write(folder / "a.json", frames))
    except CrosscaleError as error:
        told = str(error)
    else:
        told = "a.json was read"
        assert np.isfinite(clip.coordinates[clip.present]).all()
    assert "a.json" in told


def test_it_is_recognised(tmp_path):
    assert MediaPipe.recognises(tmp_path) is None
    write(tmp_path / "a.json", [{"pose_landmarks": objects(one)} for one in image()])
    assert MediaPipe.recognises(tmp_path) == "a.json has pose_landmarks"


def test_a_file_of_nobody_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match=r"a.json: none of its 3 frames shows a body"):
        read(write(tmp_path / "a.json", [None, {}, []]))
    with pytest.raises(CrosscaleError, match=r"a.json: must be a list of frames"):
        read(write(tmp_path / "a.json", []))
