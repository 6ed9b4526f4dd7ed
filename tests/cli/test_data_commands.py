import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from crosscale.cli.data import check, prepare, show
from crosscale.data.clip import Clip
from crosscale.data.official import OFFICIAL, Counts
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import READERS
from crosscale.readers.base import Item


@dataclass(frozen=True)
class Numbers:
    """Files of one number each, named cCAMERA_sSUBJECT; the number becomes the coordinates."""

    missing: Path | None = None
    name: str = "nwucla"
    layout: str = "kinect20"
    classes: tuple[str, ...] | None = None

    def find(self, source: Path) -> list[Item]:
        listed = self.missing.read_text().split() if self.missing else []
        items = [Item(p.stem, p, 0, "listed" * (p.stem in listed)) for p in source.glob("*.txt")]
        if not items:
            raise CrosscaleError(f"{source} has no .txt files")
        return sorted(items)

    def read(self, item: Item) -> Clip:
        try:
            x = np.full((2, 1, 20, 3), float(item.path.read_text()), np.float32)
        except ValueError:
            raise BadClip(f"{item.name} [line 1]: not a number") from None
        camera, subject = (int(part[1:]) for part in item.name.split("_"))
        label = f"a{subject}" if subject else None
        return Clip(item.name, x, ("b",), label, subject=subject, camera=camera)


@pytest.fixture
def source(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setitem(READERS, "numbers", f"{__name__}:Numbers")
    monkeypatch.setattr("rich.console.Console.width", 200)
    folder = tmp_path / "recordings"
    folder.mkdir()
    for camera in (1, 2, 3):
        for subject in (1, 2):
            (folder / f"c{camera}_s{subject}.txt").write_text(f"{camera}{subject}")
    (folder / "c3_s1.txt").write_text("11")
    return folder


def test_prepare_says_what_it_read_and_what_differs(source, tmp_path, capsys):
    (source / "c2_s2.txt").write_text("1.2.3")
    (source / "c2_s1.txt").rename(source / "c2_s9.txt")
    (tmp_path / "list").write_text("c2_s9")
    report = prepare("numbers", source, out=tmp_path / "store", missing=tmp_path / "list")
    told = capsys.readouterr().out
    assert report.read == 4
    assert "4 clips read into" in told
    assert "layout kinect20\n" in told
    assert "subjects: 2, of 2 clips" in told
    assert "set-ups: not known" in told
    assert "1 left out: listed" in told
    assert "1 recording SKIPPED, for these reasons:\n  c2_s2 [line 1]: not a number\n" in told
    assert "report.json" in told
    assert "differs from the published counts of nwucla" in told
    assert "  clips: 4, published 1,484" in told


def test_prepare_counts_the_clips_without_a_label_where_others_have_one(source, tmp_path, capsys):
    prepare("numbers", source, out=tmp_path / "all")
    assert "without a label" not in capsys.readouterr().out
    for camera in (1, 2):
        (source / f"c{camera}_s0.txt").write_text(f"{camera}0")
    prepare("numbers", source, out=tmp_path / "some")
    assert "\n2 clips without a label\n" in capsys.readouterr().out


def test_prepare_says_when_counts_agree(source, tmp_path, capsys, monkeypatch):
    counts = Counts(6, 2, {"subject": 2, "camera": 3}, {"xview": (4, 2)})
    monkeypatch.setattr("crosscale.data.official.OFFICIAL", dict(OFFICIAL) | {"nwucla": counts})
    prepare("numbers", source, out=tmp_path / "store")
    assert "agrees with the published counts of nwucla" in capsys.readouterr().out


def test_strict_and_wrong_words_are_errors(source, tmp_path):
    with pytest.raises(CrosscaleError, match=r"no reader 'number': did you mean 'numbers'"):
        prepare("number", source, out=tmp_path / "store")
    with pytest.raises(
        CrosscaleError, match="numbers takes no --bodies-by; it takes --missing, --layout"
    ):
        prepare("numbers", source, out=tmp_path / "store", bodies_by="position")
    (source / "c1_s1.txt").write_text("")
    with pytest.raises(BadClip, match="stopped by --strict"):
        prepare("numbers", source, out=tmp_path / "store", strict=True)
    assert not (tmp_path / "store").exists()


def test_check_lists_the_duplicates(source, tmp_path, capsys):
    prepare("numbers", source, out=tmp_path / "store")
    capsys.readouterr()
    report = check(tmp_path / "store")
    told = capsys.readouterr().out
    assert report.parts[0].duplicates == (("c3_s1", "c1_s1"),)
    assert "6 clips, checksums agree" in told
    assert "1 TEST CLIP EQUALS A TRAINING CLIP" in told
    assert "the leak-free test has the other 1:\n  c3_s1 = c1_s1" in told


def test_check_takes_a_list_of_ones_own(source, tmp_path, capsys):
    prepare("numbers", source, out=tmp_path / "store")
    (tmp_path / "mine.yaml").write_text("train: [c1_s2]\ntest: [c2_s2]")
    check(tmp_path / "store", protocol=str(tmp_path / "mine.yaml"))
    told = capsys.readouterr().out
    assert "mine: 1 train, 1 test\n  no test clip equals a training clip" in told


def test_show_tells_classes_protocols_and_first_clips(source, tmp_path, capsys):
    prepare("numbers", source, out=tmp_path / "store")
    capsys.readouterr()
    show(tmp_path / "store", clips=2)
    told = capsys.readouterr().out
    assert "nwucla, 6 clips, 12 frames, layout kinect20 (20 joints)" in told
    assert "protocol xview: 4 train; test 2 official, 1 leak_free" in told
    assert "c1_s2" in told
    assert "c2_s1" not in told


def test_a_long_list_is_cut_on_the_screen_and_whole_in_the_report(source, tmp_path, capsys):
    for i in range(30):
        (source / f"c1_s{i + 10}.txt").write_text("bad")
    prepare("numbers", source, out=tmp_path / "store")
    assert "and 20 more" in capsys.readouterr().out
    kept = json.loads((tmp_path / "store" / "report.json").read_text())
    assert len(kept["skipped"]) == 30


@pytest.mark.parametrize(
    ("source_format", "folder", "clips", "duplicates"),
    [("nwucla", "data/nw-ucla", 1484, 95), ("utdmhad", "data/utd-mhad", 861, 0)],
)
def test_public_data_sets_agree_with_their_published_counts(
    shared, tmp_path, source_format: str, folder: str, clips: int, duplicates: int
):
    report = prepare(source_format, shared(folder), out=tmp_path / "store")
    assert (report.read, report.skipped, report.differences) == (clips, [], [])
    (parts,) = check(tmp_path / "store").parts
    assert len(parts.duplicates) == duplicates


def test_truncated_recordings_are_named_and_the_good_one_is_kept(shared, tmp_path):
    report = prepare("ntu60", shared("cases/01-truncated"), out=tmp_path / "store")
    expected = json.loads((shared("cases/01-truncated") / "expect.json").read_text())
    assert report.read == 1
    assert sorted(Path(one.path).name for one in report.skipped) == sorted(expected["bad"])


def test_a_wrong_path_and_an_empty_folder_are_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty"):
        for source_format in ("ntu60", "nwucla", "utdmhad"):
            with pytest.raises(CrosscaleError, match=name):
                prepare(source_format, tmp_path / name, out=tmp_path / "store")
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]
