"""`crosscale prepare auto` tells formats apart."""

import json
import shutil

import numpy as np
import pytest

import estimator_files as files
from crosscale.cli import main
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.readers import READERS
from crosscale.readers.auto import recognise
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.formats import write_openpose
from crosscale.utils.plugins import load_object

FRAMES = files.walking("coco17")


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def array(name, value):
    return lambda folder: np.save(folder / name, value)


WRITERS = {
    "openpose": lambda folder: write_openpose(folder / "a", files.walking("openpose25")),
    "alphapose": text("alphapose-results.json", files.alphapose(FRAMES)),
    "mmpose": text("results.json", files.mmpose(FRAMES)),
    "ultralytics": text("a.json", json.dumps(files.ultralytics(FRAMES))),
    "mediapipe": array("a.npy", np.ones((3, 33, 4))),
    "deeplabcut": text("a.csv", "scorer,s,s,s\nbodyparts,n,n,n\ncoords,x,y,likelihood\n0,1,2,3\n"),
    "sleap": text("a.csv", "track,frame_idx,instance.score,n.x,n.y,n.score\nt,0,1,2,3,1\n"),
    "long": text("a.csv", "frame,joint,x,y\n0,nose,1,2\n"),
    "table": text("a.csv", ";".join(Layout.load("part10").joints) + "\n" + "1 2 3;" * 10),
    "azure": text("a.json", '{"frames": [{"bodies": [{"joint_positions": [[1, 2, 3]]}]}]}'),
    "nwucla": text("a01_s01_e00_v01.json", '{"file_name": "a", "skeletons": [], "label": 1}'),
    "utdmhad": text("a1_s1_t1_skeleton.mat", "MATLAB"),
    "ntu60": text("S001C001P001R001A001.skeleton", "0"),
    "ntu120": text("S018C001P001R001A001.skeleton", "0"),
    "skeleton": text("mine.skeleton", "0"),
    "arrays": array("train_data_joint.npy", np.ones((1, 3, 4, 25, 1))),
    "ntu60-arrays": lambda folder: np.savez(folder / "NTU60_CS.npz", x_train=np.ones((1, 2, 150))),
    "npz": lambda folder: np.savez(folder / "a.npz", coordinates=np.ones((2, 25, 3))),
    "bvh": text("a.bvh", "HIERARCHY\nROOT Hips\n"),
    "trc": text("a.trc", "PathFileType\t4\t(X/Y/Z)\ta.trc\n"),
    "c3d": lambda folder: (folder / "a.c3d").write_bytes(b"\x02\x50" + bytes(510)),
    "sbu": lambda folder: (folder / "skeleton_pos.txt").write_text("1,0.1,0.2,0.3\n"),
    "msr": text("a01_s01_e01_skeleton3D.txt", "1 2 3 1\n"),
    "utkinect": text("joints_s01_e01.txt", "1 2 3\n"),
}


@pytest.mark.parametrize("source_format", WRITERS)
def test_a_format_is_recognised(source_format, tmp_path):
    WRITERS[source_format](tmp_path)
    found = recognise(tmp_path)
    assert found.source_format == source_format
    assert any(path.name in found.reason for path in tmp_path.rglob("*.*"))


def test_every_reader_takes_part():
    for path in READERS.values():
        assert callable(load_object(path).recognises)


def test_a_sensor_in_long_form_is_of_the_sensor(tmp_path):
    rows = [
        f"{t},{joint},{t},{v},1"
        for t in (0, 1)
        for v, joint in enumerate(Layout.load("kinect20").joints)
    ]
    (tmp_path / "a.csv").write_text("\n".join(["frame,joint,x,y,z", *rows]))
    assert recognise(tmp_path).source_format == "kinect"


def test_several_formats_are_told_with_reasons(tmp_path):
    WRITERS["bvh"](tmp_path)
    WRITERS["mmpose"](tmp_path)
    told = "may have several formats: .*bvh, since a.bvh begins with HIERARCHY.*"
    with pytest.raises(CrosscaleError, match=told) as caught:
        recognise(tmp_path)
    assert "mmpose, since results.json has instances with keypoint_scores, or" in str(caught.value)


def test_an_unknown_format_is_told_with_what_is_there(tmp_path):
    with pytest.raises(CrosscaleError, match="has no files: name the folder with the recordings"):
        recognise(tmp_path)
    for i in range(3):
        (tmp_path / f"{i}.pdf").write_bytes(b"")
    with pytest.raises(CrosscaleError, match=r"it has 3 files of \.pdf\..*prepare npz"):
        recognise(tmp_path)
    with pytest.raises(CrosscaleError, match="nowhere does not exist"):
        recognise(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{", b"[", b"\x89HDF\r\n\x1a\n", b"PK"])
def test_damaged_files_are_no_format(content, tmp_path):
    for ending in (
        ".json",
        ".csv",
        ".npy",
        ".npz",
        ".h5",
        ".mat",
        ".pkl",
        ".bvh",
        ".c3d",
        ".parquet",
    ):
        (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(CrosscaleError, match="no format that is known"):
        recognise(tmp_path)


def test_prepare_auto_says_how_it_knew(tmp_path, capsys):
    source = tmp_path / "clips"
    for label in ("walk", "run"):
        for take in ("01", "02"):
            frames = files.walking("openpose25", x=100.0 + len(label))
            write_openpose(source / label / take, frames, "video")
    out = tmp_path / "store"
    assert main(["prepare", "auto", str(source), "--out", str(out), "--label_from_folder"]) == 0
    told = capsys.readouterr().out
    assert "auto: openpose, since 24 files end in _keypoints.json and video_000000000000" in told
    store = ClipStore.open(out)
    assert store.names == ["run/01", "run/02", "walk/01", "walk/02"]
    assert store.classes == ("run", "walk")
    shutil.rmtree(source)
    assert main(["prepare", "auto", str(source), "--out", str(out)]) != 0
