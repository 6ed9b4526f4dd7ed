"""JSON files of Azure Kinect body tracking."""

import json

import numpy as np
import pytest

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.sensors.azure import AzureKinect
from crosscale.skeleton.layout import Layout

SIDES = ("LEFT", "RIGHT")
ARM = ("CLAVICLE", "SHOULDER", "ELBOW", "WRIST", "HAND", "HANDTIP", "THUMB")
NAMES = ["PELVIS", "SPINE_NAVEL", "SPINE_CHEST", "NECK"]
NAMES += [f"{joint}_{side}" for side in SIDES for joint in ARM]
NAMES += [f"{joint}_{side}" for side in SIDES for joint in ("HIP", "KNEE", "ANKLE", "FOOT")]
NAMES += ["HEAD", "NOSE", "EYE_LEFT", "EAR_LEFT", "EYE_RIGHT", "EAR_RIGHT"]


def person(frames: int = 4, x: float = 0.0) -> np.ndarray:
    """(T, 32, 3) metres, y up, as it should come out."""
    still = np.random.default_rng(0).uniform([-0.2, -0.9, 2], [0.2, 0.9, 2.2], (32, 3))
    return still + [x, 0, 0] + 0.01 * np.arange(frames)[:, None, None]


def recording(*people: np.ndarray, **more) -> dict:
    """The offline processor's object; the depth camera's x points right and y down."""
    frames = []
    for t in range(len(people[0])):
        bodies = [
            {
                "body_id": 1 + b,
                "joint_positions": (one[t] * [-1000, -1000, 1000]).tolist(),
                "joint_orientations": [[1.0, 0.0, 0.0, 0.0]] * 32,
            }
            for b, one in enumerate(people)
            if np.isfinite(one[t]).all()
        ]
        frames.append(
            {
                "frame_id": t,
                "timestamp_usec": 1000 + 33333 * t,
                "num_bodies": len(bodies),
                "bodies": bodies,
            }
        )
    return {"k4abt_sdk_version": "1.1.0", "joint_names": NAMES, "frames": frames} | more


@pytest.fixture
def write(tmp_path):
    def make(content) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "a.json").write_text(text)
        return AzureKinect().find(tmp_path)[0]

    return make


def test_bodies_come_in_metres_with_y_up(write):
    clip = AzureKinect().read(write(recording(person())))
    np.testing.assert_allclose(clip.coordinates[:, 0], person(), rtol=1e-5)
    assert (clip.name, clip.bodies, clip.frame_rate) == ("a", ("1",), 30.0)


def test_frames_may_come_in_any_order(write):
    content = recording(person())
    content["frames"].reverse()
    clip = AzureKinect().read(write(content))
    np.testing.assert_allclose(clip.coordinates[:, 0], person(), rtol=1e-5)
    assert clip.frame_rate == 30.0


def test_the_layout_is_the_sdks():
    layout = Layout.load("azure32")
    sides = {f"{side}": f"{side.lower()}_" for side in SIDES}
    expected = [
        next(
            (sides[s] + n.removesuffix(f"_{s}").lower() for s in SIDES if n.endswith(s)), n.lower()
        )
        for n in NAMES
    ]
    assert list(layout.joints) == expected


def test_joint_names_tell_the_order(write):
    order = np.random.default_rng(1).permutation(32)
    names = [NAMES[j].replace("NAVEL", "NAVAL") for j in order]
    clip = AzureKinect().read(write(recording(person()[:, order], joint_names=names)))
    np.testing.assert_allclose(clip.coordinates[:, 0], person(), rtol=1e-5)


def test_a_file_without_joint_names_has_the_sdks_order(write):
    content = recording(person())
    del content["joint_names"]
    clip = AzureKinect().read(write(content))
    np.testing.assert_allclose(clip.coordinates[:, 0], person(), rtol=1e-5)


def test_people_come_and_go(write):
    late = person(6, x=1.5)
    late[:3] = np.nan
    clip = AzureKinect().read(write(recording(person(6), late)))
    assert clip.bodies == ("1", "2")
    assert clip.present[:, 1].tolist() == [False] * 3 + [True] * 3


def test_joints_out_of_sight_are_filled_in(write):
    content = recording(person(5))
    for t, frame in enumerate(content["frames"]):
        levels = [2] * 32
        if t == 2:
            levels[8] = 0
            frame["bodies"][0]["joint_positions"][8] = [1.0, 2.0, 3.0]
        frame["bodies"][0]["joint_confidence"] = levels
    clip = AzureKinect().read(write(content))
    np.testing.assert_allclose(clip.coordinates[:, 0], person(5), atol=1e-5)
    assert clip.notes == ("joints missing for a moment, filled by a line: 1",)


def test_a_list_of_bodies_within_a_list_is_read(write):
    content = recording(person())
    for frame in content["frames"]:
        frame["bodies"] = [frame["bodies"]]
    assert AzureKinect().read(write(content)).coordinates.shape == (4, 1, 32, 3)


def broken(change) -> dict:
    content = recording(person())
    change(content["frames"][2]["bodies"][0])
    return content


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"frames": [\n{"bo', "line 2: is not whole JSON"),
        ("[1]", "must be an object with a list of frames"),
        ({"frames": []}, "must be an object with a list of frames"),
        ({"frames": [{"bodies": 3}]}, "frame 0: has no list of bodies"),
        ({"frames": [{"bodies": []}]}, "shows no body in any frame"),
        (broken(lambda b: b.pop("joint_positions")), "frame 2: joint_positions are not 32"),
        (broken(lambda b: b["joint_positions"].pop()), "frame 2: joint_positions are not 32"),
        (broken(lambda b: b["joint_positions"][3].pop()), "frame 2: joint_positions are not 32"),
        (broken(lambda b: b["joint_positions"].__setitem__(3, "x")), "frame 2: joint_positions"),
        (recording(person(), joint_names=NAMES[:-1]), "joint_names are not the 32 joints"),
    ],
)
def test_what_is_wrong_is_told(write, content, told):
    with pytest.raises(BadClip, match=told) as failure:
        AzureKinect().read(write(content))
    assert str(failure.value).startswith("a.json: ")


def test_it_is_recognised(write, tmp_path):
    assert AzureKinect.recognises(tmp_path) is None
    write({"frames": []})
    assert AzureKinect.recognises(tmp_path) is None
    write(recording(person()))
    assert AzureKinect.recognises(tmp_path) == "a.json has joint_positions of body tracking"


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(CrosscaleError, match="no JSON files of Azure Kinect"):
        AzureKinect().find(tmp_path)
