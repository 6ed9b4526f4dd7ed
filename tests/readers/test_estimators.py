"""OpenPose, AlphaPose, MMPose and Ultralytics: what a picture's estimators have in common."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimator_files as files
from crosscale.cli import main
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.prepare import prepare
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.formats import write_openpose


def fitted_joints(layout):
    return Layout.load(layout).joints


def write_one(source_format, folder, frames):
    """The frames as one clip of the format; its path."""
    if source_format == "openpose":
        return write_openpose(folder / "clip", frames)
    text = {
        "alphapose": files.alphapose,
        "mmpose": files.mmpose,
        "ultralytics": lambda frames: json.dumps(files.ultralytics(frames)),
    }[source_format](frames)
    path = folder / "clip.json"
    path.write_text(text)
    return path


def read(source_format, path, **options):
    reader = fitted(make_reader(source_format, **options), path)
    return reader.read(reader.find(path)[0])


FORMATS = {
    "openpose": "openpose25",
    "alphapose": "coco17",
    "mmpose": "coco17",
    "ultralytics": "coco17",
}
each_format = pytest.mark.parametrize(("source_format", "layout"), FORMATS.items())


@each_format
def test_joints_are_those_of_the_picture_with_y_up(source_format, layout, tmp_path):
    frames = files.walking(layout)
    clip = read(source_format, write_one(source_format, tmp_path, frames))
    np.testing.assert_allclose(clip.coordinates[:, 0], files.up(np.array(frames)[:, 0]), rtol=1e-5)
    assert (clip.name, clip.bodies, clip.notes) == ("clip", ("0",), ())


@each_format
def test_people_keep_their_place_when_the_file_changes_theirs(source_format, layout, tmp_path):
    left, right = (files.walking(layout, 9, x=x) for x in (100.0, 500.0))
    frames = [
        [*a, *b] if t % 2 else [*b, *a] for t, (a, b) in enumerate(zip(left, right, strict=True))
    ]
    clip = read(source_format, write_one(source_format, tmp_path, frames))
    assert clip.coordinates.shape[1] == 2
    means = clip.coordinates[..., 0].mean(axis=(0, 2))
    np.testing.assert_allclose(sorted(means), [115, 515], atol=10)
    assert np.ptp(clip.coordinates[:, :, 0, 0], axis=0).max() < 20


@each_format
def test_joints_of_low_confidence_are_filled_in_and_told(source_format, layout, tmp_path):
    frames = files.walking(layout)
    true = files.up(np.array(frames)[:, 0])
    frames[2][0][5] = 0.0, 0.0, 0.0  # not found
    frames[3][0][7] = 9999.0, 9999.0, 0.2  # guessed
    clip = read(source_format, write_one(source_format, tmp_path, frames))
    np.testing.assert_allclose(clip.coordinates[:, 0], true, atol=1e-3)
    assert "joints of low confidence taken as missing: 1" in clip.notes
    assert "joints missing for a moment, filled by a line: 2" in clip.notes


@each_format
def test_the_confidence_asked_for_decides(source_format, layout, tmp_path):
    frames = files.walking(layout)
    frames[3][0][7, 2] = 0.2
    path = write_one(source_format, tmp_path, frames)
    assert read(source_format, path, confidence=0.1).notes == ()
    with pytest.raises(BadClip, match=r"shows no body in any frame with a confidence of 0.95"):
        read(source_format, path, confidence=0.95)
    with pytest.raises(CrosscaleError, match=r"confidence goes from 0 to 1; 30 does not"):
        make_reader(source_format, confidence=30)


@each_format
def test_an_eye_and_an_ear_hidden_in_profile_do_not_cost_the_clip(source_format, layout, tmp_path):
    frames = files.walking(layout)
    names = [*fitted_joints(layout)]
    hidden = [names.index("left_eye"), names.index("left_ear")]
    for (one,) in frames:
        one[hidden] = 0
    clip = read(source_format, write_one(source_format, tmp_path, frames))
    shown = [names.index(joint) for joint in ("nose", "right_eye", "right_ear")]
    middle = clip.coordinates[:, 0, shown].mean(1)
    np.testing.assert_allclose(clip.coordinates[:, 0, hidden[0]], middle, rtol=1e-5)
    assert clip.notes == ("joints of the face out of sight, put amid the others: 12",)


@each_format
def test_frames_without_anybody_stay_empty(source_format, layout, tmp_path):
    frames = files.walking(layout, 8)
    frames[3] = []
    clip = read(source_format, write_one(source_format, tmp_path, frames))
    assert clip.present[:, 0].tolist() == [True] * 3 + [False] + [True] * 4
    assert "empty frames inside: 1" in clip.notes


@each_format
def test_a_recording_of_nobody_is_told(source_format, layout, tmp_path):
    path = write_one(source_format, tmp_path, [[], [], []])
    with pytest.raises(
        CrosscaleError, match=r"shows? (a|no) body|must be a list of people, not empty"
    ):
        read(source_format, path)


@each_format
def test_a_file_that_is_cut_off_is_told_with_its_line(source_format, layout, tmp_path):
    path = write_one(source_format, tmp_path, files.walking(layout))
    file = path if path.is_file() else sorted(path.iterdir())[2]
    file.write_text(file.read_text()[:-20])
    with pytest.raises(CrosscaleError, match=rf"{file.name}: line 1: is not whole JSON"):
        read(source_format, path)


@each_format
def test_another_number_of_keypoints_in_one_frame_is_told(source_format, layout, tmp_path):
    frames = files.walking(layout)
    frames[4] = [frames[4][0][:-1]]
    path = write_one(source_format, tmp_path, frames)
    with pytest.raises(
        CrosscaleError, match=r"(frame|person|clip_0+)\D*4.* has \d+ keypoints, those before"
    ):
        read(source_format, path)


@each_format
def test_keypoints_of_another_model_are_told(source_format, layout, tmp_path):
    frames = [[one[:11] for one in people] for people in files.walking(layout)]
    path = write_one(source_format, tmp_path, frames)
    with pytest.raises(CrosscaleError, match=r" has 11 keypoints; the (25 of BODY_25|17 of COCO)"):
        read(source_format, path)


@each_format
@pytest.mark.parametrize("wrong", ["abc", {"a": 1}, [[1], 2], True])
def test_keypoints_that_are_no_numbers_are_told(source_format, layout, wrong, tmp_path):
    path = write_one(source_format, tmp_path, files.walking(layout, 3))
    file = path if path.is_file() else sorted(path.iterdir())[1]
    content = json.loads(file.read_text())
    if source_format == "openpose":
        content["people"][0]["pose_keypoints_2d"] = wrong
    elif source_format == "alphapose":
        content[1]["keypoints"] = wrong
    elif source_format == "mmpose":
        content[1]["instances"][0]["keypoints"] = wrong
    else:
        content[1][0]["keypoints"] = {"x": wrong, "y": wrong}
    file.write_text(json.dumps(content))
    with pytest.raises(CrosscaleError, match=file.name):
        read(source_format, path)


@each_format
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_json_holds_is_read_or_told(source_format, layout, data, tmp_path_factory):
    """One value anywhere in a file is replaced by another kind of value."""
    folder = tmp_path_factory.mktemp("odd")
    path = write_one(source_format, folder, files.walking(layout, 3))
    file = path if path.is_file() else sorted(path.iterdir())[0]
    content = json.loads(file.read_text())
    spots = list(_spots(content))
    where, key = data.draw(st.sampled_from(spots))
    odd = st.sampled_from([None, [], {}, "x", -1, 1e30, 10**30, [[]], [None], True, float("nan")])
    where[key] = data.draw(odd)
    file.write_text(json.dumps(content))
    try:
        clip = read(source_format, path)
    except CrosscaleError as error:
        told = str(error)
    else:
        told = f"{file.name} was read"
        assert np.isfinite(clip.coordinates[clip.present]).all()
    assert "clip" in told


def _spots(value):
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _spots(value[key])


@each_format
def test_they_are_prepared_with_the_layout_that_fits(source_format, layout, tmp_path):
    write_one(source_format, tmp_path, files.walking(layout))
    report = prepare(make_reader(source_format), tmp_path, tmp_path / "store")
    store = ClipStore.open(tmp_path / "store")
    assert (store.layout.name, store.names, report.skipped) == (layout, ["clip"], [])
    assert store.coordinates(0).shape == (6, 1, len(store.layout.joints), 2)


@each_format
def test_a_layout_of_fewer_joints_takes_those_by_name(source_format, layout, tmp_path):
    frames = files.walking(layout)
    clip = read(source_format, write_one(source_format, tmp_path, frames), layout="coco17")
    names = list(fitted_joints(layout))
    order = [names.index(joint) for joint in fitted_joints("coco17")]
    np.testing.assert_allclose(
        clip.coordinates[:, 0], files.up(np.array(frames)[:, 0, order]), rtol=1e-5
    )


def test_the_two_models_of_openpose_are_told_apart(tmp_path):
    path = write_openpose(tmp_path / "a", files.walking("coco18"))
    clip = read("openpose", path)
    assert clip.coordinates.shape == (6, 1, 18, 2)
    with pytest.raises(BadClip, match=r"lacks mid_hip.* of layout openpose25.*--layout coco18"):
        read("openpose", path, layout="openpose25")


def test_a_folder_of_openpose_clips_is_named_by_folders_or_by_files(tmp_path):
    frames = files.walking("openpose25")
    write_openpose(tmp_path / "deep" / "walk" / "01", frames, "video")
    write_openpose(tmp_path / "deep" / "walk" / "02", frames, "video")
    write_openpose(tmp_path / "flat" / "walk", frames, "01")
    write_openpose(tmp_path / "flat" / "walk", frames, "02")
    reader = make_reader("openpose")
    assert [item.name for item in reader.find(tmp_path / "deep")] == ["walk/01", "walk/02"]
    assert [item.name for item in reader.find(tmp_path / "flat")] == ["walk/01", "walk/02"]
    assert [item.name for item in reader.find(tmp_path / "flat" / "walk")] == ["01", "02"]


def test_frames_that_openpose_left_out_are_empty(tmp_path):
    path = write_openpose(tmp_path / "clip", files.walking("openpose25", 6))
    (path / "clip_000000000002_keypoints.json").unlink()
    assert read("openpose", path).present[:, 0].tolist() == [True] * 2 + [False] + [True] * 3


def test_openpose_joints_in_space_are_metres(tmp_path):
    frames = files.walking("openpose25", 4)
    path = write_openpose(tmp_path / "a", frames)
    for t, file in enumerate(sorted(path.iterdir())):
        content = json.loads(file.read_text())
        places = np.concatenate([frames[t][0][:, :2] * 8, np.full((25, 1), 3000.0)], axis=1)
        row = np.concatenate([places, np.ones((25, 1))], axis=1)
        content["people"][0]["pose_keypoints_3d"] = row.ravel().tolist()
        file.write_text(json.dumps(content))
    clip = read("openpose", path)
    expected = np.array([one[0][:, :2] for one in frames]) * -0.008
    np.testing.assert_allclose(clip.coordinates[:, 0, :, :2], expected, rtol=1e-5)
    np.testing.assert_allclose(clip.coordinates[..., 2], 3.0, rtol=1e-5)
    assert clip.notes == ("units are not said and taken to be millimetres",)


def test_ids_that_alphapose_gives_are_kept(tmp_path):
    left, right = (files.walking("coco17", 5, x=x) for x in (100.0, 130.0))
    frames = [[*a, *b] for a, b in zip(left, right, strict=True)]
    path = tmp_path / "a.json"
    path.write_text(files.alphapose(frames, ids=True))
    assert set(read("alphapose", path).bodies) == {"1", "2"}


def test_larger_models_that_begin_with_cocos_keypoints_are_read(tmp_path):
    frames = files.walking("coco17")
    longer = [[np.concatenate([one, np.full((9, 3), 0.5)]) for one in people] for people in frames]
    path = tmp_path / "a.json"
    path.write_text(files.alphapose(longer))
    np.testing.assert_allclose(
        read("alphapose", path).coordinates[:, 0], files.up(np.array(frames)[:, 0]), rtol=1e-5
    )


def test_names_that_mmpose_gives_count(tmp_path):
    frames = files.walking("coco17")
    names = list(reversed(fitted_joints("coco17")))
    flipped = [[one[::-1] for one in people] for people in frames]
    path = tmp_path / "a.json"
    meta = {"keypoint_id2name": {str(i): name for i, name in enumerate(names)}}
    path.write_text(files.mmpose(flipped, meta))
    np.testing.assert_allclose(
        read("mmpose", path).coordinates[:, 0], files.up(np.array(frames)[:, 0]), rtol=1e-5
    )


def test_mmpose_joints_in_space_are_refused(tmp_path):
    content = json.loads(files.mmpose(files.walking("coco17")))
    for frame in content:
        for instance in frame["instances"]:
            instance["keypoints"] = [[*place, 1.0] for place in instance["keypoints"]]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(CrosscaleError, match=r"a.json: frame 0, instance 0: .* 3 numbers each"):
        read("mmpose", tmp_path / "a.json")


def test_ultralytics_is_read_from_lines_and_from_text_within_json(tmp_path):
    frames = files.ultralytics(files.walking("coco17"), ids=True)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(frame) for frame in frames))
    (tmp_path / "b.json").write_text(json.dumps([json.dumps(frame) for frame in frames]))
    (tmp_path / "c.json").write_text(json.dumps(frames))
    clips = [read("ultralytics", tmp_path / name) for name in ("a.jsonl", "b.json", "c.json")]
    for clip in clips:
        np.testing.assert_array_equal(clip.coordinates, clips[2].coordinates)
        assert clip.bodies == ("1",)


@pytest.mark.parametrize("source_format", ["mmpose", "ultralytics"])
def test_results_of_one_picture_are_told(source_format, tmp_path):
    frames = files.walking("coco17", 1)
    content = (
        json.loads(files.mmpose(frames))[0]["instances"]
        if source_format == "mmpose"
        else files.ultralytics(frames)[0]
    )
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(CrosscaleError, match="this file is of one picture, not of a video"):
        read(source_format, tmp_path / "a.json")


def test_frame_numbers_far_apart_do_not_take_memory(tmp_path):
    content = json.loads(files.alphapose(files.walking("coco17", 3)))
    content[2]["image_id"] = "999999999999999.jpg"
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(BadClip, match=r"a.json: has 3 frames numbered 0 to 999999999999999"):
        read("alphapose", tmp_path / "a.json")


def test_as_many_people_are_kept_as_asked_for(tmp_path, capsys):
    crowd = [[files.person("openpose25", x) for x in (100, 400, 700)] for _ in range(20)]
    write_openpose(tmp_path / "crowd" / "clip", crowd)
    for most in (1, 3):
        command = ["prepare", "auto", str(tmp_path / "crowd"), "--out", str(tmp_path / f"{most}")]
        assert main([*command, "--max_bodies", str(most)]) == 0
        assert ClipStore.open(tmp_path / f"{most}").coordinates(0).shape[1] == most
    assert main([*command, "--max_bodies", "0", "--overwrite"]) == 2
    assert "max_bodies must be 1 or more, not 0" in capsys.readouterr().err
