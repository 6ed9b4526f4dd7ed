"""Every command on stores of one's own, which lack what published data sets have."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from crosscale.cli import COMMANDS, main
from crosscale.serve import server
from shared_places import see_no_places
from stick_figures import act
from tiny_run import TINY

# command: what it is called with; several times where a store of one's own matters in several
# ways. After |: what the line says that refuses it, and after a second |, that of clips of nobody.
CALLS = {
    "prepare": ["auto {recordings} --out {out}"],
    "data check": ["{store}", "{store} --protocol leave_one_subject_out || --pattern or --table"],
    "data merge": ["one={store} two={store} --out {out}"],
    "data show": ["{store}"],
    "layout start": ["{recordings} --out {out}.yaml | prepare them as they are"],
    "layout check": ["kinect20 --store {store} --out {out}.html"],
    "pretrain": [
        "own/skeletonclr --data {store} --out {out} {tiny}",
        "nwucla/skeletonclr --data {store} --out {out} {tiny} | it has all, random_subjects",
        "own/skeletonclr --protocol=random_subjects --data {store} --out {out} {tiny} "
        "|| --pattern or --table",
    ],
    "evaluate linear": ["{run} --out {out} --epochs 2"],
    "evaluate ridge": [
        "{run} --out {out} --baselines",
        "{run} --out {out} --protocol leave_one_subject_out || --pattern or --table",
        "{run} --out {out} --protocol random_subjects || --pattern or --table",
        "{run} --out {out} --protocol all | take --protocol folds",
    ],
    "evaluate knn": ["{run} --out {out}", "body --data {store} --out {out}"],
    "evaluate few": ["{run} --out {out} --draws 2"],
    "evaluate retrieval": ["{run} --out {out}"],
    "evaluate semi": ["{run} --out {out} --epochs 2"],
    "evaluate finetune": [
        "{run} --out {out} --epochs 1 | take --protocol random_subjects | take a YAML file",
        "{run} --out {out} --epochs 1 --protocol {listed}",
    ],
    "benchmark": ["{run} {store} --out {out} --draws 2 --untrained false"],
    "compare": ["{plan} --out {out}"],
    "embed": ["{run} {store} --out {out}.parquet"],
    "classify": [
        "{run} {store} --out {out}.csv --features encoder | label a few with --labels |",
        "{run} {store} --out {out}.csv --labels {labels}",
        "{run} {store} --out {out}.csv --labels {labels} --features both --head knn --subclips",
    ],
    "index": ["{run} {store} --out {out}"],
    "search": [
        "{index} wave_3",
        "{index} {store}",
        "{index} nobody | has no clip 'nobody': did you mean",
    ],
    "segment": [
        "{run} {store} --out {out}.csv --head {head} || --frame-rate",
        "{run} {store} --out {out}.csv --labelled {store} --window 20 --step 5",
    ],
    "live": ["{run} --head {head} --layout kinect20"],
    "serve": [
        "{run} --index {index} --head {head}",
        "{run} --index {index} --store {store} --head linear",
    ],
    "view": ["{store} --out {out}.html", "{store} wave_3 --out {out}.html --recipe own/aimclr"],
    "map": ["{run} --out {out}.html", "body --data {store} --out {out}.html"],
    "export onnx": ["{run} --out {out}.onnx"],
    "export torch": ["{run} --out {out}.pt2"],
    "export published": ["{run} --out {out}.pt"],
    "export folder": ["{run} --out {out}"],
    "import published": ["{published} --out {out} --data {store}"],
    "push": ["{run} mine | write user/model"],
}
TAKE_NO_STORE = {"camera", "webcam", "list", "completion", "demo", "examples", "synth", "retrain"}
ACTIONS = ("bow", "hop", "wave")
NOBODYS, PEOPLES = "clips of nobody", "clips of people"
OF_WEIGHTS = ("export onnx", "export torch")  # they take long, and ask nothing of whose clips


def test_every_command_is_called():
    assert CALLS.keys() | TAKE_NO_STORE == COMMANDS.keys()
    assert not CALLS.keys() & TAKE_NO_STORE


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Fourteen takes, with a table of all their labels and subjects, and one of five labels."""
    at = tmp_path_factory.mktemp("recorded")
    (at / "takes").mkdir()
    rows, few = ["name,label,subject"], ["name,label"]
    for number in range(14):
        action, take = ACTIONS[number % 3], number // 3
        name = f"{action}_{take}"
        x = act(action, frames=30 + number, seed=number)
        np.savez(at / "takes" / f"{name}.npz", coordinates=x, layout="kinect20")
        rows.append(f"{name},{action},{number % 2}")
        few += [f"{name},{action}"] if action != "wave" and number < 8 else []
    (at / "all.csv").write_text("\n".join(rows))
    (at / "few.csv").write_text("\n".join(few))
    listed = {"train": ["bow_0", "hop_0", "bow_1"], "test": ["hop_1", "bow_2"]}
    (at / "listed.yaml").write_text(yaml.safe_dump(listed))
    return at


@pytest.fixture(scope="module", params=[NOBODYS, PEOPLES])
def store(request, recordings, tmp_path_factory):
    """Whose clips, and what commands are called with: the store and what was made of it."""
    at = tmp_path_factory.mktemp("own")
    names = ("store", "run", "index", "head", "published.pt", "plan.yaml")
    places = {name.partition(".")[0]: str(at / name) for name in names}
    store, run = places["store"], places["run"]
    places["recordings"] = str(recordings / "takes")
    places["labels"], places["listed"] = (str(recordings / n) for n in ("few.csv", "listed.yaml"))
    told = ["--table", str(recordings / "all.csv"), "--frame-rate", "20"]
    if request.param == NOBODYS:
        told = ["--table", places["labels"]]
    plan = {
        "data": {"own": {"store": store}},
        "methods": {"SkeletonCLR": "skeletonclr"},
        "seeds": [0],
        "set": dict(word.removeprefix("--").split("=") for word in TINY),
        "evaluations": ["knn"],
    }
    (at / "plan.yaml").write_text(yaml.safe_dump(plan).replace("'", ""))
    few = ["--labels", places["labels"], "--features", "encoder"]
    for words in (
        ["prepare", "npz", places["recordings"], "--out", store, *told],
        ["pretrain", "own/skeletonclr", "--data", store, "--out", run, *TINY],
        ["index", run, store, "--out", places["index"]],
        ["classify", run, store, *few, "--out", str(at / "a.csv"), "--save", places["head"]],
        ["export", "published", run, "--out", places["published"]],
    ):
        assert main(words) == 0
    return request.param, places


def of(commands):
    return [(command, call) for command in commands for call in CALLS[command]]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "call"), of([c for c in CALLS if c not in OF_WEIGHTS]))
def test_it_ends_well_or_says_the_remedy(store, command, call, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(server, "listen", lambda *_: None)
    whose, places = store
    words, *remedies = call.split("|")
    remedy = remedies[-1 if whose == NOBODYS else 0].strip() if remedies else ""
    given = [
        one
        for word in words.split()
        for one in (TINY if word == "{tiny}" else [word.format(**places, out=tmp_path / "out")])
    ]
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        status = main([*command.split(), *given])
    told = capsys.readouterr().err
    assert status == (2 if remedy else 0), told
    if remedy:
        assert remedy in told
        assert len(told.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("store", [NOBODYS], indirect=True)
@pytest.mark.parametrize(("command", "call"), of(OF_WEIGHTS))
def test_weights_are_exported_and_nothing_of_this_machine(store, command, call, tmp_path):
    words = call.format(**store[1], out=tmp_path / "out").split()
    assert main([*command.split(), *words]) == 0
    see_no_places(tmp_path, Path(store[1]["store"]).parent)
