"""What is shared of a run says nothing of the machine that made it."""

import zipfile
from pathlib import Path

import pytest

import crosscale
from crosscale.cli import main
from crosscale.models.checkpoint import DATA_FILE, ENCODER_FILE, load_encoders
from crosscale.utils.tensors import read_safetensors, write_safetensors
from tiny_run import TINY

OLD = ("format", "encoder", "store_path")


@pytest.fixture(scope="module")
def trained_run(store):
    out = store.path.parent / "trained"
    arguments = ["pretrain", "synthetic/skeletonclr", "--data", str(store.path), "--out", str(out)]
    assert main([*arguments, "--protocol=random_subjects", *TINY]) == 0
    return out


@pytest.fixture
def old_run(trained_run, store, tmp_path):
    """As 0.1 wrote it."""
    tensors, facts = read_safetensors(trained_run / ENCODER_FILE, "crosscale encoder 2")
    facts |= {"format": "crosscale encoder 1", "store_path": str(store.path)}
    facts["encoder"] = {n: v for n, v in facts["encoder"].items() if n != "name"}
    write_safetensors(tmp_path / "old" / ENCODER_FILE, tensors, facts)
    return tmp_path / "old"


def _check(path: Path, store):
    """No file below a path holds a folder of this machine, also within archives."""
    parts = [file.read_bytes() for file in path.rglob("*") if file.is_file()]
    parts += [path.read_bytes()] if path.is_file() else []
    for archive in filter(zipfile.is_zipfile, [path, *path.rglob("*")]):
        with zipfile.ZipFile(archive) as members:
            parts += [members.read(name) for name in members.namelist()]
    assert parts
    of_package = Path(crosscale.__file__).parents[1]
    for place in (store.path.parent, of_package, Path(pytest.__file__).parents[1], Path.home()):
        assert not any(str(place).encode() in part for part in parts), place


def test_the_store_is_noted_beside_the_encoders(trained_run, store):
    _check(trained_run / ENCODER_FILE, store)
    assert str(store.path) in (trained_run / DATA_FILE).read_text()
    assert load_encoders(trained_run).store_path == store.path
    assert load_encoders(trained_run / ENCODER_FILE).store_path == store.path


def test_evaluation_asks_for_a_store_where_none_is_known(trained_run, tmp_path, capsys):
    assert main(["export", "folder", str(trained_run), "--out", str(tmp_path / "m")]) == 0
    assert main(["evaluate", "knn", str(tmp_path / "m")]) == 2
    assert "name a store with --data" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["trained_run", "old_run"])
def test_a_model_folder_and_published_weights_hold_no_path(which, request, store, tmp_path):
    run = request.getfixturevalue(which)
    assert main(["export", "folder", str(run), "--out", str(tmp_path / "m")]) == 0
    _check(tmp_path / "m", store)
    shared, own = load_encoders(tmp_path / "m"), load_encoders(run)
    assert (shared.fingerprint == own.fingerprint) == (which == "trained_run")
    assert {n: v for n, v in own.details.items() if n not in OLD} == {
        n: v for n, v in shared.details.items() if n not in OLD
    }
    assert own.store_path == store.path
    assert main(["export", "published", str(run), "--out", str(tmp_path / "p.pt")]) == 0
    _check(tmp_path / "p.pt", store)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ending"), [("onnx", "onnx"), ("torch", "pt2")])
def test_programs_hold_no_path(kind, ending, trained_run, store, tmp_path):
    if kind == "onnx":
        pytest.importorskip("onnxscript", reason="needs crosscale[onnxruntime]")
    assert main(["export", kind, str(trained_run), "--out", str(tmp_path / f"a.{ending}")]) == 0
    _check(tmp_path, store)
