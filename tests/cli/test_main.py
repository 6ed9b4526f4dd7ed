import json
import subprocess
import sys
from importlib import import_module

import pytest
import yaml

from crosscale.cli import COMMANDS, main
from crosscale.data.store import ClipStore

TINY = [
    "--optimisation.epochs=2",
    "--optimisation.batch=16",
    "--encoder.hidden=2",
    "--encoder.width=8",
    "--contrast.queue=32",
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
    assert main(["evaluate", "knn", str(run), "--neighbours", "3", "--floors"]) == 0
    results = json.loads((run / "linear" / "results.json").read_text())
    metrics = results["evaluations"][0]["metrics"]["official"]
    assert set(metrics) == {"joint", "joint@part10", "sum"}
    assert metrics["sum"]["k"] == 5
    assert (run / "linear" / "report.html").is_file()
    beaten = json.loads((run / "knn" / "results.json").read_text())["baselines"]
    assert beaten.keys() == {
        "chance",
        "untrained, nearest neighbours",
        "raw coordinates, nearest neighbours",
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
            ["pretrain", "nwucla/sgclr", "--data=a", "--out=b", "--optimisation.epoch=3"],
            "'optimisation.epochs'",
        ),
        (["pretrain", "--data", "a", "--out=b", "nwucla/sgcl"], "'nwucla/sgclr'"),
        (["pretrain", "--data=a", "--out=b"], "recipe"),
        (["pretrain", "nwucla/sgclr", "--data=nowhere", "--out=b"], "nowhere does not exist"),
        (["evaluate", "linear", "nowhere"], "no run at nowhere"),
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


def test_ntu_60_settings_take_steps_with_their_exact_shapes(tmp_path):
    raw, store, out = tmp_path / "raw", tmp_path / "store", tmp_path / "run"
    made = ["synth", str(raw), "--classes=60", "--subjects=40", "--clips=40", "--frames=[12,20]"]
    assert main(made) == 0
    assert main(["prepare", "ntu60", str(raw), "--out", str(store)]) == 0
    arguments = ["pretrain", "ntu60/crosscale", "--family=paper", "--data", str(store)]
    few = ["--optimisation.epochs=2", "--optimisation.batch=8", "--contrast.cross_from=0.5"]
    assert main([*arguments, "--out", str(out), *few]) == 0


def test_the_recipe_may_stand_anywhere(store, tmp_path):
    placed = ["pretrain", "--data", str(store), "--out", str(tmp_path), "synthetic/sgclr", *TINY]
    assert main(placed) == 0
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["views"]["cut"]["most"] == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_functions_own_words(name, capsys):
    module, function, line = COMMANDS[name]
    documented = getattr(import_module(module), function).__doc__
    assert documented.splitlines()[0] == line
    with pytest.raises(SystemExit, match="0"):
        main([*name.split(), "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert line.rstrip(".") in told
    assert f"crosscale {name}" in told, "there is no example"


def test_help_of_a_recipe_shows_its_values(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["pretrain", "nwucla/crosscale", "--help"])
    assert "default: ['joint', 'joint@part10']" in " ".join(capsys.readouterr().out.split())


def test_help_does_not_wait_for_torch():
    told = "import sys, crosscale.cli; import crosscale.cli.data; print('torch' in sys.modules)"
    command = [sys.executable, "-c", told]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
