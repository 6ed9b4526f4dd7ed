"""Two processes that train one run: the same as one process with the whole batch, to rounding."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed, multiprocessing

from crosscale.cli import INTERRUPTED, main
from crosscale.encoders.sync_norm import synchronise
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import ENCODER_FILE
from crosscale.training.callbacks import read_metrics
from crosscale.training.distributed import Team
from crosscale.training.state import LAST
from tiny_run import TINY

pytestmark = pytest.mark.slow  # each of several processes loads all libraries

BIN = Path(sys.executable).parent
PATIENCE = 1200  # seconds, for what ends much sooner
SETTINGS = [
    "synthetic/crosscale",
    *TINY,
    "--save_every=1",
    "--knn_every=2",
    "--training.batch_size=8",
    # Small steps, so that rounding stays rounding.
    "--optimiser.lr=0.01",
    "--objective.mining_start=0.5",
]
EPOCHS = "--training.epochs="


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    made = ["synth", str(folder / "raw"), "--classes=3", "--subjects=4", "--cameras=2"]
    # Clips of which rounding makes none the nearer of two: what is mined is then the same.
    assert main([*made, "--repetitions=1", "--frames=[12,16]", "--seed=1"]) == 0
    assert main(["prepare", "ntu60", str(folder / "raw"), "--out", str(folder / "store")]) == 0
    return folder / "store"


def start(store, out, *options, by=()):
    """Start `crosscale pretrain` as a process of its own."""
    command = [*by, str(BIN / "crosscale"), "pretrain", *SETTINGS]
    return subprocess.Popen(
        [*command, "--data", str(store), "--out", str(out), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def train(store, out, *options, by=(), status=0):
    with start(store, out, *options, by=by) as run:
        said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == status, said
    return said


def train_here(store, out, *options):
    """Train in this process, which has one thread too."""
    assert main(["pretrain", *SETTINGS, "--data", str(store), "--out", str(out), *options]) == 0


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "run"
    train_here(store, out, EPOCHS + "2")
    return out


@pytest.fixture(scope="module")
def together(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("together") / "run"
    train(store, out, EPOCHS + "2", "--processes=2")
    return out


def assert_same(one, other, file=LAST):
    mine, theirs = load_file(one / file), load_file(other / file)
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        assert torch.allclose(tensor, theirs[name], rtol=1e-3, atol=1e-4), name


def test_two_processes_train_what_one_trains_with_the_whole_batch(alone, together):
    assert_same(alone, together)
    assert_same(alone, together, ENCODER_FILE)
    for mine, theirs in zip(read_metrics(alone), read_metrics(together), strict=True):
        assert mine.keys() == theirs.keys()
        for name in ("loss", "joint/loss", "joint/positive", "joint/knn"):
            assert theirs.get(name) == pytest.approx(mine.get(name), abs=1e-4), name
        # The mean of the processes' shares, of which each has mined another number.
        shares = [metrics.get("mined/same_label") for metrics in (mine, theirs)]
        assert shares == [None, None] or shares[1] == pytest.approx(shares[0], abs=0.1)


def normalise(number, meeting, found):
    """One of two processes, each with half of the vectors."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=number, world_size=2
    )
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    synchronise(module)
    torch.save(module(vectors().chunk(2)[number]).detach(), f"{found}{number}")
    distributed.destroy_process_group()


def vectors():
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def test_vectors_are_normalised_over_two_processes_as_over_one(tmp_path):
    multiprocessing.spawn(normalise, (tmp_path / "meeting", tmp_path / "found"), nprocs=2)
    halves = [torch.load(tmp_path / f"found{number}") for number in (0, 1)]
    torch.testing.assert_close(torch.cat(halves), torch.nn.BatchNorm1d(3)(vectors()).detach())


def differ(number, meeting, told):
    """One of two processes, whose queues have become different."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=number, world_size=2
    )
    fabric = SimpleNamespace(world_size=2, global_rank=number, device=torch.device("cpu"))
    team = Team(fabric)
    same, other = torch.ones(3), torch.full((3,), float(number))
    team.check({"weights": same})
    try:
        team.check({"weights": same, "queue": other})
    except CrosscaleError as error:
        Path(f"{told}{number}").write_text(str(error))
    distributed.destroy_process_group()


def test_processes_notice_that_their_queues_differ(tmp_path):
    multiprocessing.spawn(differ, (tmp_path / "meeting", tmp_path / "told"), nprocs=2)
    for number in range(2):
        told = (tmp_path / f"told{number}").read_text()
        assert "the processes no longer have the same queue" in told


def test_only_the_first_process_writes(together):
    assert len(list((together / "tensorboard").iterdir())) == 1
    assert [row["epoch"] for row in read_metrics(together)] == [1, 2]


def test_a_run_goes_on_with_another_number_of_processes(store, alone, tmp_path):
    out = tmp_path / "run"
    with start(store, out, EPOCHS + "2", "--processes=2") as run:
        while not (out / LAST).exists() and run.poll() is None:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGINT)
        said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode in (0, INTERRUPTED), said
    assert "Traceback" not in said
    train_here(store, out, EPOCHS + "2", "--resume")
    assert_same(alone, out)


def test_torchrun_starts_the_processes(store, alone, tmp_path):
    by = [str(BIN / "torchrun"), "--standalone", "--nproc-per-node=2"]
    train(store, tmp_path / "run", EPOCHS + "2", by=by)
    assert_same(alone, tmp_path / "run")


def test_shuffled_keys_train_alike_but_not_the_same(store, alone, tmp_path):
    out = tmp_path / "run"
    train(store, out, EPOCHS + "2", "--processes=2", "--training.batch_norm=shuffled")
    mine, theirs = (load_file(run / LAST) for run in (alone, out))
    assert torch.equal(mine["model/queue.clips"], theirs["model/queue.clips"])
    assert not torch.allclose(mine["model/queue.keys"], theirs["model/queue.keys"], atol=1e-3)
    ours, others = (read_metrics(run)[-1]["loss"] for run in (alone, out))
    assert others == pytest.approx(ours, rel=0.1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--processes=2", "--training.batch_size=17"], "cannot share a batch of 1 clips"),
        (["--processes=2", "--resume"], "holds no run to resume"),
    ],
)
def test_what_cannot_be_shared_is_told(store, tmp_path, options, told):
    said = train(store, tmp_path / "run", EPOCHS + "1", *options, status=2)
    assert told in said
    assert "Traceback" not in said


def test_a_team_of_nobody_is_refused(store, tmp_path, capsys):
    options = ["--data", str(store), "--out", str(tmp_path / "run"), "--processes=0"]
    assert main(["pretrain", *SETTINGS, *options]) == 2
    assert "processes and nodes must be 1 or more" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_second_team_is_refused(store, together):
    before = (together / LAST).read_bytes()
    said = train(store, together, EPOCHS + "2", "--processes=2", status=2)
    assert re.search("holds a run already", said)
    assert (together / LAST).read_bytes() == before
    assert json.loads((together / "metrics.jsonl").read_text().splitlines()[-1])["epoch"] == 2
