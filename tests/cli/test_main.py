import json
import os
import subprocess
import sys

import pytest
import yaml

from crosscale.cli import INTERRUPTED, main
from crosscale.data.store import ClipStore

TINY = [
    "--training.epochs=2",
    "--training.batch_size=16",
    "--encoder.hidden=2",
    "--encoder.width=8",
    "--objective.queue=32",
    "--preprocess.frames=12",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("main")
    made = ["synth", str(folder / "raw"), "--classes=3", "--subjects=4", "--cameras=2"]
    assert main([*made, "--repetitions=1", "--frames=[12,16]"]) == 0
    assert main(["prepare", "ntu60", str(folder / "raw"), "--out", str(folder / "store")]) == 0
    return folder / "store"


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["pretrain", "synthetic/crosscale", "--data", str(store), "--out", str(out)]
    assert main([*arguments, *TINY]) == 0
    return out


def test_recordings_become_an_accuracy(store, run):
    assert main(["evaluate", "linear", str(run)]) == 0
    assert main(["evaluate", "knn", str(run), str(run), "--neighbours", "3"]) == 2
    assert main(["evaluate", "knn", str(run), "--neighbours", "3", "--baselines"]) == 0
    results = json.loads((run / "linear" / "results.json").read_text())
    metrics = results["evaluations"][0]["metrics"]["official"]
    assert set(metrics) == {"joint", "joint@part10", "sum"}
    assert metrics["sum"]["k"] == 3  # there are no more classes
    assert (run / "linear" / "report.html").is_file()
    beaten = json.loads((run / "knn" / "results.json").read_text())["baselines"]
    assert beaten.keys() == {
        "chance",
        "untrained, nearest neighbours",
        "raw coordinates, nearest neighbours",
        "raw coordinates, linear layer by least squares",
        "MiniRocket, nearest neighbours",
        "MiniRocket, half-whitened, nearest neighbours",
    }
    assert all(0 < tests["official"] <= 1 for tests in beaten.values())
    assert len(ClipStore.open(store)) == 24


def test_a_finished_run_is_not_begun_again(store, run, capsys):
    arguments = ["pretrain", "synthetic/crosscale", "--data", str(store), "--out", str(run)]
    assert main([*arguments, *TINY]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*arguments, *TINY, "--resume"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "nwucla/crosscal", "--data=a", "--out=b"], "'nwucla/crosscale'"),
        (
            ["pretrain", "nwucla/sgclr", "--data=a", "--out=b", "--training.epoch=3"],
            "'--training.epochs'",
        ),
        (["pretrain", "--data", "a", "--out=b", "nwucla/sgcl"], "'nwucla/sgclr'"),
        (["pretrain", "--data=a", "--out=b"], "RECIPE must be given"),
        (["pretrain", "nwucla/sgclr", "--data=nowhere", "--out=b"], "nowhere does not exist"),
        (["pretrain", "nowhere.yaml", "--data=a", "--out=b"], "there is no file nowhere.yaml"),
        (["evaluate", "linear", "nowhere"], "no run at nowhere"),
        (["embed", "bodyy", "a", "--out=b.npz"], "did you mean 'body'"),
        (["evaluate", "linear", "nowhere", "--layers=none"], "a whole number or all"),
        (["evaluate", "few", "nowhere", "--labels=1"], "a list, such as '[1,5,10]', not '1'"),
        (["list"], "KIND, one of augmentations, "),
        (["prepare", "ntu60", "nowhere", "--out=b"], "nowhere"),
        (["data", "show", "nowhere"], "nowhere does not exist"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_ntu_60_settings_take_steps_with_their_exact_shapes(tmp_path):
    raw, store, out = tmp_path / "raw", tmp_path / "store", tmp_path / "run"
    made = ["synth", str(raw), "--classes=60", "--subjects=40", "--clips=40", "--frames=[12,20]"]
    assert main(made) == 0
    assert main(["prepare", "ntu60", str(raw), "--out", str(store)]) == 0
    arguments = ["pretrain", "ntu60/crosscale", "--family=paper", "--data", str(store)]
    few = ["--training.epochs=2", "--training.batch_size=8", "--objective.mining_start=0.5"]
    assert main([*arguments, "--out", str(out), *few]) == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("--training.batch-size=0", "batch_size must be 2 or more, not 0"),
        ("--encoder.width=-3", "encoder.width must be 1 or more"),
        ("--streams=joint", "a list, such as '[joint]', not 'joint'"),
        ("--optimiser.lr=-1", "optimiser: Invalid learning rate"),
        ("--augment.cut=3", "--augment.cut takes a YAML file of its settings, not '3'"),
    ],
)
def test_a_setting_without_sense_is_told_in_one_line(setting, message, store, tmp_path, capsys):
    arguments = ["pretrain", "synthetic/sgclr", "--data", str(store), "--out", str(tmp_path / "b")]
    assert main([*arguments, setting]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_the_recipe_may_stand_anywhere(store, tmp_path):
    placed = ["pretrain", "--data", str(store), "--out", str(tmp_path), "synthetic/sgclr", *TINY]
    assert main(placed) == 0
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["augment"]["cut"]["most"] == 2


def test_options_may_be_written_with_hyphens(store, run, capsys):
    arguments = ["pretrain", "synthetic/crosscale", "--data", str(store), "--out", str(run)]
    hyphens = ["--save-every=5", "--training.batch-norm", "shuffled", "--resume"]
    assert main([*arguments, *TINY, *hyphens]) == 2
    assert "batch_norm" in capsys.readouterr().err, "the run was begun with another value"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["prepare", "ntu60", "nowhere", "--out=b", "--engine=ray"], "--engine is called --runner"),
        (["prepare", "ntu60", "nowhere", "--out=b", "--bodies", "id"], "called --bodies-by now"),
        (["embed", "nowhere", "a", "--out=b.npz", "--engine", "ray"], "called --runner ray now"),
        (["index", "nowhere", "a", "--out=b", "--engine=ray"], "called --runner ray now"),
        (["segment", "nowhere", "a", "--out=b.csv", "--labels", "c"], "called --labelled now"),
        (["view", "nowhere", "--views=nwucla/sgclr"], "called --recipe now"),
        (["compare", "nowhere", "--out=b", "--table"], "called --tables-only now"),
        (["classify", "nowhere", "a", "--out=b.csv", "--moments"], "called --subclips now"),
    ],
)
def test_options_of_0_1_are_taken_with_a_line_that_says_the_new(arguments, told, capsys):
    assert main(arguments) == 2
    renamed, fault = capsys.readouterr().err.strip().splitlines()
    assert told in renamed
    assert "nowhere" in fault


def test_an_engine_of_the_same_command_keeps_its_name(capsys):
    assert main(["embed", "nowhere", "a", "--out=b.npz", "--engine", "torch"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_module_can_be_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "crosscale", "data", "show", "nowhere"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "crosscale: nowhere does not exist; make a clip store with: crosscale prepare"
    ]


@pytest.mark.parametrize(
    "library",
    [
        "crosscale.errors",
        "jsonargparse",
        "rich.console",
        pytest.param("torch", marks=pytest.mark.slow),
    ],
)
def test_stopping_while_libraries_are_imported_is_one_line(library, tmp_path):
    """As by Ctrl-C, which is sent by the import itself."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Stopping:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {library!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stopping())\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "crosscale", "pretrain", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == INTERRUPTED
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("crosscale: stopped")


def test_no_command_prints_the_help_and_fails(capsys):
    assert main([]) == 2
    assert "usage: crosscale" in capsys.readouterr().err
    assert main(["data"]) == 2
    assert "merge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrian"], "'pretrain'"),
        (["train"], "'pretrain'"),
        (["frobnicate"], "crosscale --help"),
        (["data", "shwo"], "'show'"),
        (["--frobnicate"], "crosscale --help"),
        (["prepare", "ntu60", "a", "--out=b", "--wokers=1"], "'--workers'"),
        (["prepare", "ntu60", "a", "--out=b", "--shard-clip=1"], "'--shard-clips'"),
        (["prepare", "ntu60", "a", "--out=b", "--frobnicate"], "crosscale prepare --help"),
        (["prepare", "ntu60", "a"], "--out must be given"),
        (["prepare"], "SOURCE_FORMAT, SOURCE and --out must be given"),
        (["prepare", "ntu60", "a", "--out"], "--out needs a value"),
        (["prepare", "ntu60", "a", "b", "--out=c"], "too many arguments: b"),
        (["prepare", "ntu60", "a", "--out=b", "--max-bodies=x"], "whole number, not 'x'"),
        (["prepare", "ntu60", "a", "--out=b", "--bodies-by=ids"], "'id'"),
        (["prepare", "frobnicate", "a", "--out=b"], "crosscale list readers"),
        (["pretrain", "frobnicate", "--data=a", "--out=b"], "crosscale list recipes"),
        (["layout", "check", "frobnicate"], "crosscale list layouts"),
        (["list", "reader"], "'readers'"),
    ],
)
def test_a_mistyped_word_is_answered_with_a_near_one_or_a_list(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert len(error) < 160
    assert "class" not in error
