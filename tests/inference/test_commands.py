import csv
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from crosscale.cli import main
from crosscale.data.clip import Clip
from crosscale.inference.answers import NONE
from crosscale.inference.head_file import load_head
from crosscale.inference.index import Index

CROSSCALE = [sys.executable, "-c", "import sys, crosscale.cli as c; sys.exit(c.main())"]
FEW = 4  # labelled clips a class
PATIENCE = 300  # seconds, for what ends much sooner


@pytest.fixture(scope="module")
def table(tmp_path_factory, store):
    """Labels of a few clips of each class."""
    path = tmp_path_factory.mktemp("table") / "labels.csv"
    names = [name for name in store.names if int(name[-2:]) < FEW]
    rows = [f"{name},{name.split('_')[0]}\n" for name in names]
    path.write_text("name,label\n" + "".join(rows))
    return path


def ask(*arguments):
    return main([str(argument) for argument in arguments])


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_recordings_become_vectors_answers_neighbours_and_segments(
    run, store, table, tmp_path, act, write_store, capsys
):
    at = tmp_path
    assert ask("embed", run, store.path, "--out", at / "all.parquet") == 0
    saved = ["--out", at / "named.csv", "--save", at / "head"]
    assert ask("classify", run, store.path, "--labels", table, *saved) == 0
    named = read_csv(at / "named.csv")
    assert [row["name"] for row in named] == [n for n in store.names if int(n[-2:]) >= FEW]
    right = np.mean([row["label"] == row["name"].split("_")[0] for row in named])
    assert right > 0.7
    told = capsys.readouterr().out
    assert "12 labelled clips of 3 classes" in told
    assert "cross-validation:" in told
    assert "labelled clips right, each person's by those of the others (2 people)" in told
    assert f"{100 * right:.1f} % of the 24 that the store labels were named so" in told
    for label in ("bow", "hop", "wave", NONE):
        count = sum(row["label"] == label for row in named)
        assert f"{label}{' ' * (14 - len(label))}{count}" in told

    assert ask("index", run, store.path, "--out", at / "index") == 0
    assert ask("search", at / "index", "bow_03", "--k", 5, "--out", at / "found.json") == 0
    near = json.loads((at / "found.json").read_text())
    assert [row["rank"] for row in near] == [1, 2, 3, 4, 5]
    assert "bow_03" not in {row["name"] for row in near}
    assert sum(row["label"] == "bow" for row in near) >= 4

    parts = [act(action, frames=100, seed=800 + i) for i, action in enumerate(["hop", "wave"])]
    long = write_store("long", [Clip("day", np.concatenate(parts), ("0",), frame_rate=20.0)])
    cut = ["segment", run, long.path, "--out", at / "segments.csv", "--step", 0.25]
    assert ask(*cut, "--labels", store.path, "--false_rejection", 0) == 0
    segments = read_csv(at / "segments.csv")
    labels = [row["label"] for row in segments if float(row["end"]) - float(row["start"]) > 2]
    assert labels == ["hop", "wave"]

    lines = [
        json.dumps({"time": i / 20, "people": [{"id": "a", "joints": x.tolist()}]})
        for i, x in enumerate(act("wave", frames=60, seed=3)[:, 0])
    ]
    command = [*CROSSCALE, "live", str(run), "--head", str(at / "head")]
    done = subprocess.run(
        [*command, "--layout", "kinect20"],
        input="\n".join(["oops", *lines]),
        capture_output=True,
        text=True,
        check=True,
    )
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert out[0]["line"] == 1
    assert [answer["time"] for answer in out[1:]] == [1.0, 1.5, 2.0, 2.5]
    assert out[-1]["label"] == "wave"
    assert out[-1]["delay"] >= 0


@pytest.mark.parametrize("ending", ["parquet", "npz"])
def test_vectors_are_written_in_the_stores_order_with_where_they_come_from(
    run, store, model, tmp_path, ending
):
    path = tmp_path / f"vectors.{ending}"
    assert ask("embed", run, store.path, "--out", path) == 0
    if ending == "parquet":
        table = pq.read_table(path)
        facts = json.loads(table.schema.metadata[b"crosscale"])
        names, labels = (table.column(c).to_pylist() for c in ("name", "label"))
        vectors = np.array(table.column("embedding").to_pylist(), np.float32)
    else:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["crosscale"]))
            names, labels = file["names"].tolist(), file["labels"].tolist()
            vectors = file["embeddings"]
    assert names == store.names
    assert labels == [store.classes[i] for i in store.labels]
    np.testing.assert_allclose(vectors, model.embed(store), atol=1e-6)
    assert facts["format"] == "crosscale embeddings 1"
    assert facts["encoder"] == model.fingerprint
    assert facts["streams"] == {"joint": 16, "joint@part10": 16}
    assert facts["store"] == str(store.path.resolve())


def test_a_saved_head_names_another_store_without_labels(
    run, store, table, tmp_path, act, write_store
):
    other = write_store("other", [Clip(f"new{i}", act("hop", seed=i), ("0",)) for i in range(5)])
    head, out = tmp_path / "head", tmp_path / "out.parquet"
    fit = ["classify", run, store.path, "--labels", table, "--head", "knn", "--save", head]
    assert ask(*fit, "--unlabelled", other.path, "--out", out) == 0
    once = pq.read_table(out)
    assert once.column("name").to_pylist() == other.names
    assert ask("classify", run, other.path, "--head", head, "--out", out) == 0
    assert pq.read_table(out).equals(once)
    strict = ["--false_rejection", 0, "--out", tmp_path / "all.csv"]
    assert ask(*fit, "--unlabelled", other.path, *strict) == 0
    assert NONE not in {row["label"] for row in read_csv(tmp_path / "all.csv")}


def test_a_head_of_subclips_is_made_and_asked_for(run, store, table, tmp_path, capsys):
    out, segments = tmp_path / "out.csv", tmp_path / "segments.csv"
    fit = ["classify", run, store.path, "--labels", table, "--out", out]
    assert ask(*fit, "--save", tmp_path / "whole") == 0
    assert ask(*fit, "--subclips", "--save", tmp_path / "subclips") == 0
    assert "84 held-out labelled clips and subclips right" in capsys.readouterr().out
    for head, told in (("whole", True), ("subclips", False)):
        at = ["segment", run, store.path, "--head", tmp_path / head, "--out", segments]
        assert ask(*at) == 0
        assert ("whole knows whole clips alone" in capsys.readouterr().out) == told


def test_the_name_of_0_1_for_subclips_is_taken_and_the_present_one_told(
    run, store, table, tmp_path, capsys
):
    fit = ["classify", run, store.path, "--labels", table, "--out", tmp_path / "out.csv"]
    assert ask(*fit, "--moments", "--save", tmp_path / "head") == 0
    assert "--moments is called --subclips now" in capsys.readouterr().err
    assert load_head(tmp_path / "head").subclips


def test_after_none_of_these_the_runner_up_is_the_most_probable(
    run, store, table, tmp_path, write_store, act
):
    strange = np.random.default_rng(0).normal(size=act("bow").shape).astype(np.float32)
    other = write_store("odd", [Clip("odd", strange, ("0",))])
    out = tmp_path / "out.json"
    fit = ["classify", run, store.path, "--labels", table, "--false_rejection", 0.3]
    assert ask(*fit, "--unlabelled", other.path, "--out", out) == 0
    (row,) = json.loads(out.read_text())
    assert (row["label"], row["probability"]) == (NONE, None)
    assert row["runner_up"] in store.classes
    assert 1 / 3 <= row["runner_up_probability"] <= 1


def test_one_label_a_class_is_told_not_to_be_calibrated(run, store, tmp_path, capsys):
    table = tmp_path / "single.csv"
    table.write_text("name,label\nbow_00,bow\nhop_00,hop\nwave_00,wave\n")
    assert ask("classify", run, store.path, "--labels", table, "--out", tmp_path / "o.csv") == 0
    assert "no class has two labelled clips" in capsys.readouterr().out


def test_a_store_of_queries_is_searched_for(run, store, tmp_path, act, write_store, other_run):
    queries = write_store("queries", [Clip("q", act("hop", seed=9), ("0",))])
    index, out = tmp_path / "index", tmp_path / "found.csv"
    assert ask("index", run, store.path, "--out", index) == 0
    assert ask("search", index, queries.path, "--k", 3, "--out", out, "--verify") == 0
    found = read_csv(out)
    assert {row["query"] for row in found} == {"q"}
    assert {row["label"] for row in found} == {"hop"}
    assert ask("search", index, queries.path, "--run", other_run) == 2
    assert ask("search", index, "hop_01", "--k", 99, "--out", out) == 0
    assert len(read_csv(out)) == 35
    assert len(Index.open(index).names) == 36


@pytest.fixture(scope="module")
def made(run, store, table, tmp_path_factory):
    """An index, a head and what is wrong in one way or another."""
    at = tmp_path_factory.mktemp("made")
    assert ask("index", run, store.path, "--out", at / "idx") == 0
    fit = ["classify", run, store.path, "--labels", table, "--features", "encoder"]
    assert ask(*fit, "--out", at / "p.csv", "--save", at / "head") == 0
    (at / "empty").mkdir()
    (at / "cut").write_bytes((at / "head").read_bytes()[:-50])
    for name, text in {"who": "bow_77,bow", "blank": "bow_00,", "lone": "bow_00,bow"}.items():
        (at / f"{name}.csv").write_text(f"name,label\n{text}\n")
    return at


@pytest.fixture
def places(run, store, made, tmp_path, other_run):
    """Names for `{name}` in the commands below."""
    at = shutil.copytree(made, tmp_path / "at")
    return {"run": run, "store": store.path, "at": at, "other": other_run}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("embed {at}/nowhere {store} --out {at}/o.npz", "no run at"),
        ("embed {run} {at}/nowhere --out {at}/o.npz", "nowhere does not exist"),
        ("embed {run} {at}/empty --out {at}/o.npz", "is not a clip store"),
        ("embed {run} {store} --out {at}/o.txt", "end the name with .parquet or .npz"),
        ("embed {run} {store} --out {at}/o.npz --device cud", "no device 'cud'"),
        ("classify {run} {store} --out {at}/o.csv", "every clip of"),
        ("classify {run} {store} --out {at}/o.csv --labels {at}/none.csv", "none.csv cannot be"),
        (
            "classify {run} {store} --out {at}/o.csv --labels {at}/who.csv",
            "who.csv names 1 clip not to be found; mend such rows, or take them out. "
            "First 'bow_77': did you mean 'bow_07'",
        ),
        ("classify {run} {store} --out {at}/o.csv --labels {at}/blank.csv", "no label for bow_00"),
        ("classify {run} {store} --out {at}/o.csv --labels {at}/lone.csv", "labels 1 class;"),
        ("classify {run} {store} --out {at}/o.csv --head {at}/none", "no head at"),
        ("classify {run} {store} --out {at}/o.csv --head {at}/cut", "cannot be read"),
        ("classify {other} {store} --out {at}/o.csv --head {at}/head", "another encoder"),
        (
            "classify {run} {store} --out {at}/o.csv --head {at}/head --labels x",
            "takes no --labels",
        ),
        ("classify {run} {store} --out {at}/o.xls", "end the name with"),
        (
            "classify {run} {store} --out {at}/o.csv --unlabelled {store} --false_rejection 1",
            "up to",
        ),
        ("index {run} {store} --out {at}/idx", "say --overwrite"),
        ("index {run} {store} --out {at}/empty --overwrite", "is no search index"),
        ("search {at}/none bow_01", "does not exist"),
        ("search {at}/idx bow_1", "did you mean 'bow_1"),
        ("search {at}/idx bow_01 --k 0", "k must be 1 or more"),
        ("search {at}/idx {at}/empty", "is not a clip store"),
        ("segment {run} {store} --out {at}/o.csv", "name a saved head"),
        ("segment {run} {store} --out {at}/o.csv --head lnear --labelled {store}", "'linear'?"),
        ("segment {run} {store} --out {at}/o.csv --head {at}/head --window 0.01", "too short"),
        ("segment {other} {store} --out {at}/o.csv --head {at}/head", "another encoder"),
        ("live {run} --head {at}/none --layout kinect20", "no head at"),
        ("live {other} --head {at}/head --layout kinect20", "another encoder"),
        ("live {run} --head {at}/head --layout kinect21", "no layout 'kinect21'"),
        ("live {run} --head {at}/head --layout kinect20 --socket 0.0.0.0:1", "no local address"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(places, command, message, capsys):
    before = sorted(places["at"].iterdir())
    capsys.readouterr()
    assert main([word.format(**places) for word in command.split()]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len([line for line in error.splitlines() if line.startswith("crosscale:")]) == 1
    assert sorted(places["at"].iterdir()) == before


def test_ctrl_c_ends_live_in_silence(places):
    command = ["live", "{run}", "--head", "{at}/head", "--layout", "kinect20"]
    process = subprocess.Popen(
        [*CROSSCALE, *(word.format(**places) for word in command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("oops\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["line"] == 1
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert error.strip() == "crosscale: stopped; nothing half-written is left"


@pytest.mark.slow
def test_files_are_written_when_nobody_reads_what_is_told(places, table):
    out = places["at"] / "unread.csv"
    fit = ["classify", places["run"], places["store"], "--labels", table, "--out", out]
    words = [*CROSSCALE, *map(str, fit), "--save", f"{out}.head"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert b"Error" not in process.stderr.read()
    assert out.exists()
    assert out.with_name("unread.csv.head").exists()


@pytest.mark.slow
def test_live_ends_when_nobody_reads_its_answers(places):
    command = [*CROSSCALE, "live", "{run}", "--head", "{at}/head"]
    words = [word.format(**places) for word in [*command, "--layout", "kinect20"]]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(b"oops\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        for _ in range(3):
            process.stdin.write(b"oops\n")
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("axes", "told"), [(2, True), (3, False)])
def test_for_clips_in_the_plane_the_encoder_of_the_plane_is_named(
    axes, told, stored, tmp_path, capsys
):
    rng = np.random.default_rng(0)
    flat = stored(Clip("wave", rng.normal(size=(20, 1, 20, axes)), ("0",)))
    assert ask("embed", "body", flat.path, "--out", tmp_path / "all.npz") == 0
    assert ("body-2d" in capsys.readouterr().out) == told
