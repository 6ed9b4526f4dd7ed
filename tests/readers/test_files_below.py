"""Which files of a source are looked at."""

import shutil

import numpy as np
import pytest

import estimator_files as files
from crosscale.readers.auto import recognise
from crosscale.readers.datasets.array_sources import sources_below
from crosscale.readers.datasets.msr import MsrAction3d
from crosscale.readers.datasets.ntu import Ntu60
from crosscale.readers.datasets.utkinect import UtKinect
from crosscale.readers.files import paths_below
from crosscale.readers.mocap.bvh import Bvh
from crosscale.readers.pose.openpose import OpenPose
from crosscale.readers.tables.plain import Plain
from crosscale.synthesis.formats import write_openpose


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere" / "kick"
    (source / "walk").mkdir(parents=True)
    elsewhere.mkdir(parents=True)
    for path in (source / "walk" / "w.bvh", elsewhere / "k.bvh"):
        path.touch()
    (source / "kick").symlink_to(elsewhere)
    (source / "walk" / "all").symlink_to(source)
    (elsewhere / "again").symlink_to(elsewhere)
    (source / "lost.bvh").symlink_to(tmp_path / "nowhere")  # is told when it is read
    assert [path.relative_to(source).as_posix() for path in paths_below(source, (".bvh",))] == [
        "lost.bvh",
        "kick/k.bvh",
        "walk/w.bvh",
    ]


def put_aside(folder):
    """What a Mac leaves beside files and on disks of others."""
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7")
        shutil.copytree(path.parent, folder / "__MACOSX", dirs_exist_ok=True)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


@pytest.mark.parametrize(
    ("reader", "names"),
    [
        (Plain(), ["a.npz"]),
        (Bvh(), ["a.bvh"]),
        (Ntu60(), ["S001C001P001R001A001.skeleton"]),
        (MsrAction3d(), ["a01_s01_e01_skeleton3D.txt"]),
        (UtKinect(), ["joints_s01_e01.txt", "actionLabel.txt"]),
        (OpenPose(), ["a_000000000000_keypoints.json"]),
    ],
)
def test_what_systems_leave_behind_is_passed_over(reader, names, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    before = reader.find(tmp_path)
    put_aside(tmp_path)
    assert reader.find(tmp_path) == before


def test_arrays_and_auto_pass_over_it_too(tmp_path):
    np.save(tmp_path / "train_data.npy", np.zeros(3))
    put_aside(tmp_path)
    assert sources_below(tmp_path) == [tmp_path / "train_data.npy"]
    (tmp_path / "train_data.npy").unlink()
    write_openpose(tmp_path / "clip", files.walking("openpose25"))
    (tmp_path / "clip" / "._notes.bvh").write_text("HIERARCHY")
    assert recognise(tmp_path).source_format == "openpose"
