import socket
from dataclasses import replace

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.cli.serve import _head
from crosscale.data.store import StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.inference.head_file import FittedHead, save_head
from crosscale.serve import server
from crosscale.serve.guard import Guard
from crosscale.serve.service import store_of


@pytest.fixture
def listened(monkeypatch):
    """What the command would listen with."""
    calls = []
    monkeypatch.setattr(server, "listen", lambda *arguments: calls.append(arguments))
    return calls


def test_all_parts_are_put_together(listened, run, index, head, model, tmp_path, capsys):
    path = tmp_path / "mine.head"
    save_head(FittedHead(head, model.fingerprint), path)
    arguments = ["serve", str(run), "--index", str(index.path), "--port", "8123"]
    assert main([*arguments, "--head", str(path)]) == 0
    assert main([*arguments, "--head", "knn"]) == 0
    for app, host, port, *_ in listened:
        assert isinstance(app, Guard)
        assert (app.host, host, port) == (None, "127.0.0.1", 8123)
    assert "30 clips to search; 3 classes" in capsys.readouterr().err


def test_a_head_of_the_index_is_judged_on_people_whom_it_has_not_seen(model, index, store):
    assert _head("knn", model, index, store)[0].cv_groups_ == 2
    assert _head("knn", model, index, None)[0].cv_groups_ == 0


def test_a_head_of_the_index_is_fitted_on_what_tells_its_clips_apart(model, index, store):
    for features, dim in (("encoder", 16), ("rocket", 9_996), ("both", 10_012)):
        head, namer, _ = _head("linear", model, index, store, features)
        assert head.n_features_in_ == namer.dim == dim
    assert "held-out labelled clips named right" in _head("linear", model, index, store)[2]
    with pytest.raises(CrosscaleError, match="needs the clips of the index"):
        _head("linear", model, index, None, "rocket")


def test_a_head_of_an_index_of_few_labels_learns_from_its_other_clips(model, index, store):
    kept = {name for name in index.names if name.endswith("_0")}
    few = replace(
        index,
        labels=[
            label if name in kept else None
            for name, label in zip(index.names, index.labels, strict=True)
        ],
    )
    for clips in (None, store):
        head, _, _ = _head("linear", model, few, clips)
        assert head.counts_.tolist() == [1, 1, 1]
        assert head.guessed_ == 0  # 27 others are too few for 3
    repeated = replace(
        few,
        names=few.names * 2,
        labels=[*few.labels, *[None] * 30],
        vectors=np.concatenate([few.vectors, few.vectors]),
    )
    assert _head("linear", model, repeated, None)[0].guessed_ == 57


def test_a_store_that_lost_clips_since_is_not_taken_for_that_of_the_index(index, store, tmp_path):
    assert store_of(index, None).path == store.path
    smaller = tmp_path / "smaller"
    with StoreWriter(smaller, name="mine", layout=store.layout) as writer:
        writer.add(store[0])
    moved = replace(index, facts=dict(index.facts) | {"store": str(smaller)})
    assert store_of(moved, None) is None
    with pytest.raises(CrosscaleError):
        store_of(moved, smaller)


def test_listening_to_others_is_warned_of(listened, run, capsys):
    assert main(["serve", str(run), "--host", "0.0.0.0"]) == 0
    assert "no password" in capsys.readouterr().err
    assert listened[0][0].host == "0.0.0.0"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--head", "linear"], "labels of an index"),
        (["--store", "anything"], "--index"),
        (["--port", "70000"], "from 0 to 65535"),
    ],
)
def test_options_that_do_not_fit_are_refused(listened, run, capsys, options, said):
    assert main(["serve", str(run), *options]) == 2
    assert said in capsys.readouterr().err
    assert listened == []


def test_an_index_of_another_encoder_is_refused(listened, joint_model, run, index, capsys):
    other = run.parent / "joint run"
    assert main(["serve", str(other), "--index", str(index.path)]) == 2
    assert "another encoder" in capsys.readouterr().err


def test_an_address_that_is_taken_says_so(run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(run), "--port", str(port)]) == 2
    assert f"cannot listen at 127.0.0.1:{port}" in capsys.readouterr().err
