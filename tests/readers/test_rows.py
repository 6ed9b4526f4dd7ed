"""Text with x y z of joints in rows, one a joint or one a frame."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import test_kinect_csv

from crosscale.cli import main
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import Item
from crosscale.skeleton.layout import Layout

DATA = Path(__file__).parents[3] / "shared" / "data"
NAMES = test_kinect_csv.SENSORS["kinect20"]
PERSON = test_kinect_csv.bodies("kinect20", 6)  # (T, V, 3) metres
PERSON[:, Layout.load("kinect20").index("shoulder_centre"), 1] += 0.5  # upright
OPTIONS = {"units": "metres", "up": "y"}


def named_cells(person: np.ndarray = PERSON) -> str:
    """A cell of x y z a joint under its name, and one more cell that has none."""
    rows = [";".join(" ".join(map(str, joint)) for joint in frame) + ";0" for frame in person]
    return "\n".join(["; ".join(NAMES), *rows]) + "\n"


def lines(numbers: np.ndarray, mark: str = " ") -> str:
    return "\n".join(mark.join(map(str, row)) for row in numbers.tolist()) + "\n"


def read(path: Path, **options) -> np.ndarray:
    """(T, V, 3) of the only body."""
    return make_reader("table", **OPTIONS, **options).read(Item("a", path)).coordinates[:, 0]


@pytest.mark.parametrize(
    "content",
    [
        named_cells(),
        lines(PERSON.reshape(-1, 3)),
        "x y z\n" + lines(PERSON.reshape(-1, 3)),
        lines(PERSON.reshape(6, -1), "\t"),
        lines(PERSON.reshape(6, -1), ", ") + "\n\n",
        lines(PERSON.reshape(6, -1), ";").replace(".", ","),
    ],
)
def test_rows_of_any_form_are_the_same_body(content, tmp_path):
    (tmp_path / "a.txt").write_text(content)
    np.testing.assert_allclose(read(tmp_path / "a.txt", layout="kinect20"), PERSON, rtol=1e-6)


def test_a_packed_file_is_named_without_its_endings(tmp_path):
    (tmp_path / "wave").mkdir()
    (tmp_path / "wave" / "a.csv.gz").write_bytes(gzip.compress(named_cells().encode()))
    reader = make_reader("table", **OPTIONS)
    (item,) = reader.find(tmp_path)
    assert item.name == "wave/a"
    np.testing.assert_allclose(reader.read(item).coordinates[:, 0], PERSON, rtol=1e-6)
    whole = item.path.read_bytes()
    item.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CrosscaleError, match=r"a\.csv\.gz: cannot be unpacked .*cut off"):
        reader.read(item)


def test_joints_in_another_order_are_taken_by_name(tmp_path):
    (tmp_path / "a.txt").write_text(lines(PERSON[:, ::-1].reshape(-1, 3)))
    read_ = read(tmp_path / "a.txt", joints=", ".join(reversed(NAMES)))
    np.testing.assert_allclose(read_, PERSON, rtol=1e-6)


def test_a_joint_at_the_origin_is_missing_unless_it_always_lies_there(tmp_path):
    lost, root = PERSON.copy(), PERSON - PERSON[:, :1]
    lost[2, 5] = 0
    lost[4] = 0
    (tmp_path / "lost.txt").write_text(lines(lost.reshape(-1, 3)))
    (tmp_path / "root.txt").write_text(lines(root.reshape(-1, 3)))
    found = read(tmp_path / "lost.txt", layout="kinect20")
    expected = PERSON.copy()  # the joint filled in along a line, as it moves
    expected[4] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(read(tmp_path / "root.txt", layout="kinect20"), root, atol=1e-6)
    (tmp_path / "nobody.txt").write_text(lines(0 * PERSON.reshape(-1, 3)))
    with pytest.raises(CrosscaleError, match="shows nobody"):
        read(tmp_path / "nobody.txt", layout="kinect20")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lines(PERSON.reshape(-1, 3)[:-1]), "119 rows of x y z, not 20 for each frame"),
        (lines(PERSON[:, :19].reshape(6, -1)), "57 numbers a row; x y z of 20 joints are 60"),
        (lines(PERSON.reshape(-1, 3)) + "1 2\n", "line 121: has 2 numbers, not 3"),
        (named_cells().replace(" 2.9", " no", 1), "line 2: 'no.*' is not a number"),
        ("; ".join(NAMES), "no numbers below its first line"),
        (named_cells().replace("Spine", "Head", 1), "each joint once"),
        (named_cells().replace("Spine", "Tail", 1), "lacks spine of layout kinect20"),
        ("", "is empty"),
    ],
)
def test_what_does_not_fit_is_told(content, told, tmp_path):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(CrosscaleError, match=told):
        read(tmp_path / "a.txt", layout="kinect20")


def test_a_first_line_of_empty_cells_names_no_joint(tmp_path):
    (tmp_path / "a.txt").write_text('"",""\n' + lines(PERSON.reshape(-1, 3)))
    assert type(make_reader("table")).sign(tmp_path / "a.txt") is None
    np.testing.assert_allclose(read(tmp_path / "a.txt", layout="kinect20"), PERSON, rtol=1e-6)


def test_rows_without_names_need_a_layout(tmp_path):
    (tmp_path / "a.txt").write_text(lines(PERSON.reshape(-1, 3)))
    with pytest.raises(CrosscaleError, match="--layout ntu25"):
        read(tmp_path / "a.txt")


def test_a_frame_rate_is_taken_where_the_files_have_none(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(named_cells())
    out = tmp_path / "store"
    called = ["prepare", "auto", str(tmp_path / "a.csv"), "--out", str(out), "--frame-rate"]
    assert main([*called, "0"]) == 2
    assert "frame rate must be a number above 0" in capsys.readouterr().err
    assert main([*called, "25"]) == 0
    store = ClipStore.open(out)
    assert (store.column("frame_rate").tolist(), store.layout.name) == ([25], "kinect20")
    np.savez(tmp_path / "b.npz", coordinates=PERSON, frame_rate=50.0)
    called = ["prepare", "npz", str(tmp_path / "b.npz"), "--layout", "kinect20", "--overwrite"]
    assert main([*called, "--out", str(out), "--frame-rate", "25"]) == 0
    assert ClipStore.open(out).column("frame_rate").tolist() == [50]


@pytest.mark.skipif(not DATA.is_dir(), reason="the published data sets are not here")
def test_published_texts_are_read_as_they_are():
    gtu = make_reader("table", layout="ntu25")
    clip = gtu.read(Item("1/movement1", DATA / "gtu3d" / "1" / "movement1.txt"))
    np.testing.assert_allclose(clip.coordinates[0, 0, 0], [-0.130878, -0.0607637, 2.32628])
    np.testing.assert_allclose(clip.coordinates[1, 0, 1], [-0.132655, 0.246602, 2.30347])
    precog = make_reader("table")
    clip = precog.read(Item("Seq1_1", DATA / "precog" / "CSV" / "Seq1_1.csv"))
    joints = Layout.load("kinect20")
    foot = clip.coordinates[0, 0, joints.index("right_foot")]
    np.testing.assert_allclose(foot, [0.2674209, -0.7630621, 2.803326])
    with pytest.raises(BadClip, match="shows nobody"):
        make_reader("table", layout=joints).read(
            Item("Seq2_10", DATA / "precog" / "CSV" / "Seq2_10.csv")
        )
