"""Folders that users report, through the command, each with the behaviour that was wished for."""

import json
import shutil
import unicodedata

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.inference.index import Index
from crosscale.inference.labels import labels_of
from crosscale.readers import make_reader
from crosscale.viz.player_clip import rows_of
from skeleton_files import skeleton_text, standing


@pytest.fixture
def prepared(shared, tmp_path, capsys):
    """The store of `crosscale prepare FORMAT FOLDER …`, its report and what was printed."""

    def run(source_format, folder, *options):
        out = tmp_path / "store"
        words = ["prepare", source_format, str(folder), "--out", str(out), *map(str, options)]
        assert main(words) == 0, capsys.readouterr().err
        report = json.loads((out / "report.json").read_text())
        return ClipStore.open(out), report, " ".join(capsys.readouterr().out.split())

    return run


@pytest.mark.parametrize("source_format", ["npz", "auto"])
def test_a_class_folder_may_be_a_link(shared, prepared, tmp_path, source_format):
    case = shutil.copytree(shared("cases/b04-symlinked-folder"), tmp_path / "case")
    (case / "in").chmod(0o755)
    (case / "in" / "kick").symlink_to("../elsewhere/kick")
    store, _, _ = prepared(source_format, case / "in", "--label-from-folder")
    assert store.names == ["kick/k0", "kick/k1", "walk/w0", "walk/w1"]
    assert store.classes == ("kick", "walk")
    assert store.layout.name == "kinect20"  # as the files say


def test_millimetres_and_z_up_are_pointed_out_and_can_be_said(shared, prepared):
    folder = shared("cases/b09-npz-zup-mm/in")
    _, report, told = prepared("npz", folder)
    assert len(report["doubts"]) == 2
    assert "1,630 m tall" in told
    assert "--units millimetres" in told
    assert "--up z" in told
    _, report, _ = prepared("npz", folder, "--units", "millimetres", "--up", "z", "--overwrite")
    assert report["doubts"] == []


def test_a_body_upside_down_is_turned_by_up_minus_y(prepared, tmp_path):
    body = np.random.default_rng(0).normal(size=(6, 25, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", coordinates=body * np.float32([-1, -1, 1]))
    store, _, _ = prepared("npz", tmp_path / "a.npz", "--up", "-y")
    np.testing.assert_array_equal(store.coordinates(0)[:, 0], body)


def test_a_long_recording_without_labels_is_kept_whole(shared, prepared):
    folder = shared("cases/b10-long-unlabelled-skeleton")
    store, report, _ = prepared("skeleton", folder / "in")
    truth = np.load(folder / "truth.npy")
    assert store.names == ["session one"]
    assert (len(store.classes), report["repaired"]) == (0, {})
    np.testing.assert_allclose(store.coordinates(0)[:, 0], truth.reshape(900, 25, 3), atol=1e-5)


def test_numbers_stand_in_what_is_told_of_repairs(prepared, tmp_path):
    person = [("1", standing())]
    for repetition, frames in ((1, 310), (2, 305)):
        path = tmp_path / "in" / f"S001C001P001R00{repetition}A001.skeleton"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(skeleton_text([person] * frames))
    _, report, told = prepared("ntu60", tmp_path / "in")
    assert report["repaired"] == {"frames cut after the first 300: 15 in all": 2}
    assert "2 clips repaired: frames cut after the first 300: 15 in all" in told


def test_a_clip_of_one_name_in_two_folders_is_told_with_both(shared, prepared):
    folder = shared("cases/b17-same-name-two-folders/in")
    store, report, _ = prepared("ntu60", folder)
    assert store.names == ["S001C001P001R001A001"]
    (skipped,) = report["skipped"]
    for day in ("day1", "day2"):
        assert str(folder / day / "S001C001P001R001A001.skeleton") in skipped["reason"]
    store, _, _ = prepared("skeleton", folder, "--overwrite")
    assert store.names == ["day1/S001C001P001R001A001", "day2/S001C001P001R001A001"]


def test_dialects_of_trc_are_read(shared, prepared):
    folder = shared("cases/b01-trc-dialects")
    store, report, _ = prepared("trc", folder / "in")
    truth = np.load(folder / "truth.npy")
    assert (len(store), report["skipped"]) == (7, [])
    for clip in range(7):
        np.testing.assert_allclose(store.coordinates(clip)[:, 0], truth, atol=1e-5)
    assert report["repaired"] == {"line 3 says 41 frames, 40 are there": 1}


def labels_in(store):
    return [store.classes[i] if i >= 0 else None for i in store.labels]


def test_names_that_a_mac_writes_in_another_form_are_the_same(shared, prepared):
    folder = shared("cases/b06-nfd-names")
    options = ("--layout", "kinect20")
    store, _, _ = prepared("npz", folder / "in", *options, "--table", folder / "labels.csv")
    assert dict(zip(store.names, labels_in(store), strict=True)) == {
        "plain": "stehen, ruhig",
        "\u00dcbung_gehen": "gehen",
        "\u00dcbung_gr\u00fc\u00dfen": "gr\u00fc\u00dfen",
    }
    given = labels_of(store, folder / "labels.csv")  # as `classify` takes it
    assert given.tolist() == labels_in(store)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_names_that_are_typed_may_be_of_either_form(clip, stored, tmp_path, form, typed):
    name, other = (
        unicodedata.normalize(form, "\u00dcbung"),
        unicodedata.normalize(typed, "\u00dcbung"),
    )
    store = stored(clip("plain", label="a"), clip(name, label="b"))  # as 0.1 kept names
    index = Index(tmp_path, {}, store.names, [None, None], np.empty((2, 1), np.float32))
    (tmp_path / "lists.yaml").write_text(f"train: [plain]\ntest: [{other}]\n")
    rows = split(store, str(tmp_path / "lists.yaml")).tests["test"].tolist()
    assert (rows_of(store, [other]), index.place(other), rows) == ([1], 1, [1])
    assert store[other].name == name


@pytest.mark.parametrize("table", ["bom_crlf_spaces", "cp1252", "semicolon", "with_ending"])
def test_tables_are_read_as_spreadsheets_write_them(shared, prepared, table):
    folder = shared("cases/b08-excel-label-table")
    store, report, told = prepared(
        *("npz", folder / "in", "--layout", "kinect20", "--table", folder / f"{table}.csv")
    )
    assert labels_in(store) == [
        *("gehen", "gehen", "Gehen", "gr\u00fc\u00dfen", "stehen, ruhig", None),
    ]
    assert "'gehen' and 'Gehen' differ in capital letters" in told
    assert sum("classes" in doubt for doubt in report["doubts"]) == 1


def test_zeros_that_a_spreadsheet_took_away_are_told(shared, tmp_path, capsys):
    folder = shared("cases/b08-excel-label-table")
    words = ["prepare", "npz", folder / "in", "--layout", "kinect20", "--out", tmp_path / "store"]
    assert main([*map(str, words), "--table", str(folder / "zeros_lost.csv")]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "names 6 clips not to be found; mend such rows, or take them out. "
        "First '0': there is '000'; spreadsheets take"
    ) in told


def test_a_stray_file_beside_class_folders_is_set_aside_alone(prepared, tmp_path):
    body = np.random.default_rng(0).normal(size=(6, 25, 3))
    for name in ("walk/a", "run/b", "stray"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(tmp_path / "in" / f"{name}.npz", coordinates=body)
    store, report, _ = prepared("npz", tmp_path / "in", "--label-from-folder")
    assert store.names == ["run/b", "walk/a"]
    assert labels_in(store) == ["run", "walk"]
    assert "stray.npz lies in no folder below" in report["skipped"][0]["reason"]


def test_the_tail_of_deeplabcuts_names_leaves_clip_names(tmp_path):
    network = "DLC_resnet50_mouseOct2shuffle1_100000"
    for name in (f"day1/m1{network}", f"day1/m1{network}_filtered", f"m2{network}_el", "m3DLC"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").touch()
    (tmp_path / f"m4{network}.h5").touch()
    assert [item.name for item in make_reader("deeplabcut").find(tmp_path)] == [
        *(f"day1/m1{network}", f"day1/m1{network}_filtered", "m2", "m3DLC", "m4"),
    ]
