import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosscale.data import official
from crosscale.data.official import Counts
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.naming import Naming
from crosscale.readers.prepare import prepare
from crosscale.skeleton.layout import Layout
from pretend_reader import PretendReader


@pytest.fixture
def source(tmp_path: Path):
    def write(*words: str) -> Path:
        file = tmp_path / "list.txt"
        file.write_text("".join(f"{i:04} {word}\n" for i, word in enumerate(words)))
        return file

    return write


def test_good_recordings_become_a_store_and_bad_ones_a_list_of_reasons(source, tmp_path):
    report = prepare(
        PretendReader(), source("good", "bad", "gap", "listed", "gap", "broken"), tmp_path / "out"
    )
    store = ClipStore.open(tmp_path / "out")
    assert store.names == ["0000", "0002", "0004"]
    assert store.name == "mine"
    assert report.read == 3
    assert [(one.name, one.reason) for one in report.skipped] == [
        ("0001", "0001: cut in frame 3"),
        ("0005", "broken: is damaged in a way not foreseen (ValueError: could not convert)"),
    ]
    assert report.left_out == {"on the list": 1}
    assert report.repaired == {"gap of N frames": 2}
    assert report.repairs() == {"gap of 2 to 4 frames": 2}
    assert report.counts["label"] == {"a0": 3}
    assert report.counts["subject"] == {0: 2, 2: 1}
    assert report.counts["camera"] == {}
    assert report.differences is None


def test_the_account_is_kept_in_the_store(source, tmp_path):
    prepare(PretendReader(), source("good", "bad"), tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "report.json").read_text())
    assert kept["skipped"] == [{"name": "0001", "path": "bad", "reason": "0001: cut in frame 3"}]
    assert kept["counts"]["subject"] == {"0": 1}
    provenance = ClipStore.open(tmp_path / "out").provenance
    assert provenance["reader"] == "PretendReader"
    assert provenance["options"]["layout"] == "kinect20"
    assert provenance["source"].endswith("list.txt")


def test_strict_stops_at_the_first_bad_recording_and_writes_nothing(source, tmp_path):
    with pytest.raises(BadClip, match=r"0001: cut in frame 3 \(stopped by --strict"):
        prepare(PretendReader(), source("good", "bad", "fatal"), tmp_path / "out", strict=True)
    assert [p.name for p in tmp_path.iterdir()] == ["list.txt"]


def test_strict_does_not_mind_what_is_left_out_on_purpose(source, tmp_path):
    report = prepare(PretendReader(), source("good", "listed"), tmp_path / "out", strict=True)
    assert report.read == 1


def test_no_usable_recording_makes_no_store(source, tmp_path):
    with pytest.raises(
        CrosscaleError, match=r"none of the 2 recordings can be used; .*cut in frame 3"
    ):
        prepare(PretendReader(), source("bad", "bad"), tmp_path / "out")
    with pytest.raises(CrosscaleError, match=r"all 2 recordings in .* are left out: on the list"):
        prepare(PretendReader(), source("listed", "listed"), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["list.txt"]


def test_a_name_met_twice_is_skipped(tmp_path):
    (tmp_path / "list.txt").write_text("a good\nb good\na good\n")
    report = prepare(PretendReader(), tmp_path / "list.txt", tmp_path / "out")
    assert [one.reason for one in report.skipped] == [
        "a: another clip has this name already: good and good"
    ]


def test_a_class_beyond_the_official_ones_is_skipped(source, tmp_path):
    reader = PretendReader(classes=("a0", "b"))
    report = prepare(reader, source("good", "good"), tmp_path / "out")
    assert report.skipped[0].reason == "0001: 'a1' is not one of the 2 classes"


def test_published_counts_are_compared(source, tmp_path, monkeypatch):
    monkeypatch.setattr(official, "OFFICIAL", {"mine": Counts(3, 2, {"subject": 2}, {})})
    report = prepare(PretendReader(), source("good", "good"), tmp_path / "out")
    assert report.differences == ["clips: 2, published 3"]


def test_an_existing_store_is_replaced_only_when_asked(source, tmp_path):
    prepare(PretendReader(), source("good"), tmp_path / "out")
    with pytest.raises(CrosscaleError, match="exists already"):
        prepare(PretendReader(), source("good", "good"), tmp_path / "out")
    prepare(PretendReader(), source("good", "good"), tmp_path / "out", overwrite=True)
    assert len(ClipStore.open(tmp_path / "out")) == 2
    with pytest.raises(BadClip):
        prepare(PretendReader(), source("bad"), tmp_path / "out", overwrite=True, strict=True)
    assert len(ClipStore.open(tmp_path / "out")) == 2


PROGRAM = """
from pathlib import Path
from crosscale.readers import reading
from crosscale.readers.prepare import prepare
from pretend_reader import PretendReader
if __name__ == "__main__":
    reading.TRIAL = 1
    reading.WORTH_PROCESSES = 0
    try:
        prepare(PretendReader(pause=0.005), Path("list.txt"), Path("out"), workers=2)
    except KeyboardInterrupt:
        print("stopped")
"""


PATIENCE = 300  # seconds, for what ends much sooner


@pytest.mark.skipif(os.name != "posix", reason="sends Ctrl-C as a terminal does")
@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0])
def test_ctrl_c_leaves_no_half_store_and_no_process(source, tmp_path, delay: float):
    source(*["good"] * 2000)
    (tmp_path / "program.py").write_text(PROGRAM)
    run = subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + PATIENCE
    while not list(tmp_path.glob(".out.*")):
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(delay)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=PATIENCE)  # returns when no process has them open any more
    assert (out, err) == ("stopped\n", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["list.txt", "program.py"]


@dataclass(frozen=True)
class Unfitted:
    """A reader whose layout is the one that the source names in a file beside it."""

    name: str = "mine"
    layout: str = "unknown before the source is seen"

    def for_source(self, source):
        return PretendReader(layout=Layout.load(source.with_name("layout.txt").read_text()))


def test_a_reader_may_learn_its_layout_from_the_source(source, tmp_path):
    (tmp_path / "layout.txt").write_text("kinect20")
    naming = Naming(pattern="(?P<setup>[0-9]+)")
    prepare(Unfitted(), source("good"), tmp_path / "store", naming=naming)
    store = ClipStore.open(tmp_path / "store")
    assert store.layout.name == "kinect20"
    assert store.column("setup").tolist() == [0]
    assert store.provenance["reader"] == "Unfitted"
    assert store.provenance["naming"]["pattern"] == naming.pattern
