"""What is shared of a run says nothing of the machine that made it.

Exported programs are looked at where every command is called.
"""

import pytest

from crosscale.cli import main
from crosscale.models.checkpoint import DATA_FILE, ENCODER_FILE, load_encoders
from crosscale.utils.tensors import read_safetensors, write_safetensors
from shared_places import see_no_places
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


def test_the_store_is_noted_beside_the_encoders(trained_run, store):
    see_no_places(trained_run / ENCODER_FILE, store.path.parent)
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
    see_no_places(tmp_path / "m", store.path.parent)
    shared, own = load_encoders(tmp_path / "m"), load_encoders(run)
    assert (shared.fingerprint == own.fingerprint) == (which == "trained_run")
    assert {n: v for n, v in own.details.items() if n not in OLD} == {
        n: v for n, v in shared.details.items() if n not in OLD
    }
    assert own.store_path == store.path
    assert main(["export", "published", str(run), "--out", str(tmp_path / "p.pt")]) == 0
    see_no_places(tmp_path / "p.pt", store.path.parent)
