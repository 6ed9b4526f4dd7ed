"""C3D and TRC files of markers."""

from dataclasses import replace

import c3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.mocap.c3d import C3d
from crosscale.readers.mocap.trc import Trc
from crosscale.readers.prepare import prepare
from crosscale.skeleton.layout import Layout

pytestmark = pytest.mark.filterwarnings("ignore:No analog data")

LAYOUT = Layout.load("plugingait")
LABELS = [
    name.replace("left_", "L").replace("right_", "R").upper().replace("_", "")
    for name in LAYOUT.joints
]
BESIDE = np.array([2.0, 0, 0])
HEIGHTS = {"hee": 0.05, "toe": 0.02, "ank": 0.1, "kne": 0.5, "asi": 1.0, "psi": 1.0, "t10": 1.25}
HEIGHTS |= {"strn": 1.2, "clav": 1.4, "c7": 1.45, "sho": 1.45, "elb": 1.2, "fhd": 1.7, "bhd": 1.7}


def standing(frames: int = 30) -> np.ndarray:
    """(T, markers, 3) metres, y up, left at +x; every marker sways by its own centimetre."""
    rows = []
    for j, name in enumerate(LAYOUT.joints):
        side = {"left": 1, "righ": -1}.get(name[:4], 0)
        height = HEIGHTS.get(name.rpartition("_")[2], 0.95)
        rows.append((0.2 * side, height, 0.01 * (j % 5)))
    sway = np.arange(frames)[:, None, None] * np.array([0.001, 0, 0.0005])
    return np.array(rows) + sway


def millimetres_z_up(metres: np.ndarray) -> np.ndarray:
    return 1000 * np.stack([metres[..., 0], -metres[..., 2], metres[..., 1]], axis=-1)


def write_c3d(path, points, labels=LABELS, missing=(), units="mm  ", scale=-1.0, rate=100.0):
    """(T, points, 3) as a C3D file; `missing` are (frame, point)."""
    writer = c3d.Writer(point_rate=rate, point_units=units, point_scale=scale)
    columns = np.zeros((*points.shape[:2], 5), np.float32)
    columns[..., :3] = points
    for frame, point in missing:
        columns[frame, point] = 0, 0, 0, -1, -1
    writer.add_frames([(frame, np.empty((0, 0))) for frame in columns])
    writer.set_point_labels(labels)
    with path.open("wb") as file:
        writer.write(file)
    return path


def write_trc(path, points, labels=LABELS, missing=(), units="mm", rate=100.0):
    """(T, markers, 3) as a TRC file; `missing` are (frame, marker)."""
    count = len(points)
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame"
        "\tOrigNumFrames",
        f"{rate}\t{rate}\t{count}\t{len(labels)}\t{units}\t{rate}\t1\t{count}",
        "Frame#\tTime\t" + "\t\t\t".join(labels) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i + 1}" for i in range(len(labels)) for axis in "XYZ"),
        "",
    ]
    for t, frame in enumerate(points):
        cells = [f"{t + 1}", f"{t / rate:.3f}"]
        for m, place in enumerate(frame):
            cells += [""] * 3 if (t, m) in missing else [f"{x:.5f}" for x in place]
        lines.append("\t".join(cells))
    path.write_text("\r\n".join([*lines, ""]))
    return path


FORMATS = [("c3d", write_c3d, ".c3d"), ("trc", write_trc, ".trc")]
each_format = pytest.mark.parametrize(("source_format", "write", "ending"), FORMATS)


def read(source_format: str, path, **options):
    reader = fitted(make_reader(source_format, **options), path)
    return reader.read(reader.find(path)[0])


@each_format
def test_markers_come_in_metres_with_y_up(source_format, write, ending, tmp_path):
    metres = standing()
    path = write(tmp_path / f"walk{ending}", millimetres_z_up(metres))
    clip = read(source_format, path)
    np.testing.assert_allclose(clip.coordinates[:, 0], metres, atol=1e-5)
    assert (clip.name, clip.frame_rate) == ("walk", 100.0)
    assert clip.notes == ("axes turned so that y is up instead of z",)


@each_format
def test_a_marker_that_is_lost_for_a_moment_is_filled_in(source_format, write, ending, tmp_path):
    metres = standing(60)
    missing = {(t, 4) for t in range(20, 60)} | {(10, 7), (11, 7)}
    path = write(tmp_path / f"a{ending}", millimetres_z_up(metres), missing=missing)
    clip = read(source_format, path)
    np.testing.assert_allclose(clip.coordinates[:20, 0], metres[:20], atol=1e-5)
    assert clip.present[:, 0].tolist() == [True] * 20 + [False] * 40
    assert "joints missing for a moment, filled by a line: 2" in clip.notes
    assert "frames with joints missing left out: 40" in clip.notes


@each_format
def test_order_and_further_markers_do_not_matter(source_format, write, ending, tmp_path):
    order = np.random.default_rng(0).permutation(len(LABELS))
    points = np.concatenate([1000 * standing()[:, order], np.ones((30, 1, 3))], axis=1)
    labels = [*(LABELS[j] for j in order), "WAND"]
    clip = read(source_format, write(tmp_path / f"a{ending}", points, labels))
    np.testing.assert_allclose(clip.coordinates[:, 0], standing(), atol=1e-5)
    assert clip.notes == ()


@each_format
def test_missing_markers_are_named_beside_those_there(source_format, write, ending, tmp_path):
    path = write(tmp_path / f"a{ending}", standing(3), ["M" + label for label in LABELS])
    with pytest.raises(CrosscaleError, match=r"lacks c7, t10.* it has MC7, MT10.*--layout"):
        prepare(make_reader(source_format), path, tmp_path / "store")


@each_format
def test_a_file_with_other_markers_is_skipped(source_format, write, ending, tmp_path):
    write(tmp_path / f"a{ending}", standing(3))
    write(tmp_path / f"b{ending}", standing(3), ["X" + label for label in LABELS])
    report = prepare(make_reader(source_format, units="metres"), tmp_path, tmp_path / "s")
    assert [one.name for one in report.skipped] == ["b"]
    assert ClipStore.open(tmp_path / "s").layout.name == "plugingait"


@each_format
@pytest.mark.parametrize(("unit", "length"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001)])
def test_the_file_tells_its_unit(source_format, write, ending, unit, length, tmp_path):
    path = write(tmp_path / f"a{ending}", standing(3) / length, units=unit)
    clip = read(source_format, path)
    np.testing.assert_allclose(clip.coordinates[:, 0], standing(3), atol=1e-5)


@each_format
def test_a_file_that_alone_says_no_unit_is_skipped(source_format, write, ending, tmp_path):
    for i in range(9):
        write(tmp_path / f"{i}{ending}", standing(3), units="m" if i != 4 else "")
    reader = fitted(make_reader(source_format, units=None), tmp_path)
    reader = replace(reader, units=None)
    with pytest.raises(BadClip, match=f"4{ending}: does not say its unit"):
        reader.read(reader.find(tmp_path)[4])


@each_format
def test_units_are_guessed_where_no_file_says_them(source_format, write, ending, tmp_path):
    clip = read(source_format, write(tmp_path / f"a{ending}", 100 * standing(3), units=""))
    np.testing.assert_allclose(clip.coordinates[:, 0], standing(3), atol=1e-5)
    assert clip.notes == ("units are not said and taken to be centimetres",)


@each_format
def test_a_unit_that_is_not_known_is_told(source_format, write, ending, tmp_path):
    path = write(tmp_path / f"a{ending}", standing(3), units="ell")
    with pytest.raises(CrosscaleError, match=f"a{ending}: the unit 'ell' is not known"):
        read(source_format, path)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), frames=st.integers(1, 8))
def test_what_is_written_is_read(tmp_path_factory, seed, frames):
    points = np.random.default_rng(seed).uniform(1, 3, (frames, len(LABELS), 3))
    folder = tmp_path_factory.mktemp("takes")
    for name, write, ending in FORMATS:
        path = write(folder / f"a{ending}", points, units="m")
        clip = read(name, path, up="y")
        np.testing.assert_allclose(clip.coordinates[:, 0], points, atol=1e-5)


def test_whole_numbers_with_a_scale_are_read(tmp_path):
    path = write_c3d(tmp_path / "a.c3d", 1000 * standing(), scale=0.1)
    clip = read("c3d", path)
    np.testing.assert_allclose(clip.coordinates[:, 0], standing(), atol=2e-4)


def test_people_are_told_apart_by_the_name_before_the_label(tmp_path):
    points = 1000 * np.concatenate([standing(), standing() + BESIDE], axis=1)
    labels = [f"{who}:{label}" for who in ("Ann", "Bo") for label in LABELS]
    clip = read("c3d", write_c3d(tmp_path / "a.c3d", points, labels))
    assert clip.bodies == ("Ann", "Bo")
    np.testing.assert_allclose(clip.coordinates[:, 1], standing() + BESIDE, atol=1e-4)


def test_a_body_without_all_markers_is_left_out_beside_one_that_has_them(tmp_path):
    labels = [*(f"Ann:{label}" for label in LABELS), "Prop:C7"]
    points = 1000 * np.concatenate([standing(), np.ones((30, 1, 3))], axis=1)
    clip = read("c3d", write_c3d(tmp_path / "a.c3d", points, labels))
    assert clip.bodies == ("Ann",)
    assert "bodies hardly seen left out: 1" in clip.notes


@pytest.mark.parametrize("kept", [0, 1, 300, 512, 700, 3000])
def test_a_c3d_file_that_is_cut_off_is_told(tmp_path, kept):
    path = write_c3d(tmp_path / "a.c3d", standing())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadClip, match=r"^a.c3d: "):
        C3d().take(path)


def test_a_c3d_header_that_claims_many_frames_is_told(tmp_path):
    path = write_c3d(tmp_path / "a.c3d", standing())
    content = bytearray(path.read_bytes())
    content[8:10] = (65535).to_bytes(2, "little")  # last frame
    path.write_bytes(content)
    with pytest.raises(BadClip, match=r"says 65535 frames of 30 points, which .* cut off"):
        C3d().take(path)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 2000), byte=st.integers(0, 255))
def test_a_damaged_c3d_file_is_read_or_told(tmp_path_factory, place, byte):
    path = write_c3d(tmp_path_factory.mktemp("c3d") / "a.c3d", standing(3))
    content = bytearray(path.read_bytes())
    content[place] = byte
    path.write_bytes(content)
    try:
        C3d().take(path)
    except BadClip as error:
        told = str(error)
    else:
        told = "a.c3d: was read"
    assert told.startswith("a.c3d: ")


def test_without_the_library_it_is_named(tmp_path, monkeypatch):
    path = write_c3d(tmp_path / "a.c3d", standing(3))
    monkeypatch.setitem(__import__("sys").modules, "c3d", None)
    with pytest.raises(CrosscaleError, match=r"pip install 'crosscale\[c3d\]'"):
        C3d().take(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("PathFileType", "X", "line 1: should begin with PathFileType"),
        ("\t3\t30\tmm", "\t1000000000\t30\tmm", "line 3: says 1000000000 frames, 3 follow"),
        ("0.00000\t", "x\t", r"line \d+: 'x' is not a number"),
        ("\n2\t", "\n", r"line 8: has 91 numbers, not 92"),
        ("C7\t", "T10\t", "line 4: should name each marker once"),
        ("C7\t\t\tT10", "C7", r"line 7: has 92 numbers, not 89"),
    ],
)
def test_what_is_wrong_in_a_trc_file_is_told_with_its_line(tmp_path, old, new, told):
    path = write_trc(tmp_path / "a.trc", standing(3))
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(BadClip, match=f"^a.trc: {told}"):
        Trc().take(path)


@pytest.mark.parametrize("lines", range(6))
def test_a_trc_file_that_ends_before_its_numbers_is_told(tmp_path, lines):
    path = write_trc(tmp_path / "a.trc", standing(3))
    path.write_text("\n".join(path.read_text().splitlines()[:lines]))
    with pytest.raises(BadClip, match=r"^a.trc: line"):
        Trc().take(path)


def test_they_are_recognised(tmp_path):
    assert C3d.recognises(tmp_path) is None
    assert Trc.recognises(tmp_path) is None
    write_c3d(tmp_path / "a.c3d", standing(3))
    write_trc(tmp_path / "a.trc", standing(3))
    assert C3d.recognises(tmp_path) == "a.c3d has the mark of a C3D file"
    assert Trc.recognises(tmp_path) == "a.trc begins with PathFileType"
