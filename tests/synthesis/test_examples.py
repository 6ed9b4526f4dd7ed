"""Example recordings: every format is recognised and read, and shows what was performed."""

import csv
import shlex
import shutil
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.store import ClipStore
from crosscale.readers import make_reader
from crosscale.readers.auto import recognise
from crosscale.readers.base import fitted
from crosscale.synthesis.examples import example_recording, write_examples
from crosscale.synthesis.formats import bvh_text
from crosscale.synthesis.performers import JOINTS
from crosscale.synthesis.recording import ClipName, perform_scene
from crosscale.utils.progress import displayed_by

FORMATS = ("mediapipe", "openpose", "bvh", "skeleton", "deeplabcut")
LIMBS = {
    f"{side}_{theirs}": f"{side}_{ours}"
    for side in ("left", "right")
    for theirs, ours in (
        ("arm", "shoulder"), ("fore_arm", "elbow"), ("hand", "wrist"),
        ("up_leg", "hip"), ("leg", "knee"), ("foot", "ankle"),
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "examples"
    told = []

    @contextmanager
    def display(what, total):
        assert what == "writing recordings"
        yield told.append
        assert sum(told) == total  # progress ends at its end

    with displayed_by(display):
        assert write_examples(folder) == sum(told)
    return folder


@pytest.mark.parametrize("source_format", FORMATS)
def test_auto_knows_and_reads_every_format(examples, source_format):
    source = examples / source_format
    assert recognise(source).source_format == source_format
    layout = examples / "mouse.yaml" if source_format == "deeplabcut" else None
    reader = fitted(make_reader(source_format, layout=layout and str(layout)), source)
    clips = [reader.read(item) for item in reader.find(source)[:2]]
    for clip in clips:
        assert len(clip.coordinates) > 40
        assert clip.present.all()


def test_motion_capture_stands_where_the_performer_does(tmp_path):
    scene = perform_scene(ClipName(1, 1, 8, 1), 0, (45, 90))[:, 0]
    (tmp_path / "throw.bvh").write_text(bvh_text(scene))
    reader = fitted(make_reader("bvh"), tmp_path)
    clip = reader.read(reader.find(tmp_path)[0])
    names = list(reader.layout.joints)
    for theirs, ours in LIMBS.items():
        places = scene[:, JOINTS.index(ours)] * [-1, 1, -1]
        apart = np.linalg.norm(clip.coordinates[:, 0, names.index(theirs)] - places, axis=-1)
        assert apart.max() < 0.005


def test_the_one_example_is_among_them(examples):
    name, text = example_recording()
    assert (examples / "mediapipe" / name).read_text() == text


@pytest.mark.slow
def test_a_seed_gives_the_same_files(examples, tmp_path):
    def digests(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(path.relative_to(folder), sha256(path.read_bytes()).digest()) for path in files]

    write_examples(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(examples)


def test_the_commands_that_it_prints_can_be_typed_for_any_folder(monkeypatch, capsys):
    monkeypatch.setattr("crosscale.synthesis.examples.write_examples", lambda out, seed: 1)
    assert main(["examples", "my recordings"]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[2])
    assert command[1:4] == ["prepare", "auto", "my recordings/mediapipe"]


@pytest.mark.slow
def test_the_commands_that_it_prints_name_the_exercises(examples, tmp_path, monkeypatch, capsys):
    def write(out, seed):
        shutil.copytree(examples, out)
        return 40

    monkeypatch.setattr("crosscale.synthesis.examples.write_examples", write)
    monkeypatch.chdir(tmp_path)
    assert main(["examples", "recordings"]) == 0
    told = capsys.readouterr().out.splitlines()
    commands = [line.split()[1:] for line in told if line.startswith("crosscale ")]
    assert len(commands) == 3
    for command in commands:
        assert main(command) == 0, capsys.readouterr().err
    assert len(ClipStore.open(tmp_path / "stores" / "exercises")) == 40
    with (tmp_path / "named.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = [row["name"].startswith(row["label"]) for row in rows]
    assert len(rows) == 25
    assert np.mean(right) >= 0.9
    sure = [float(row["probability"] or 0) for row in rows]
    assert abs(np.mean(sure) - np.mean(right)) < 0.1
