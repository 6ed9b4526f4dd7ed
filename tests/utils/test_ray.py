"""Commands on a Ray cluster give what they give on one machine, whoever dies meanwhile."""

import os
import signal
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from crosscale.cli import USER_ERROR, main
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import reading
from crosscale.utils.cluster import over_cluster
from kinect_folders import write_nwucla

os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # which Ray reads once, where it is imported
ray = pytest.importorskip("ray", reason="needs Ray: pip install 'crosscale[ray]'")
PATIENCE = 300  # seconds, for what ends much sooner
MARK = "CROSSCALE_TEST_CLUSTER"
FILES = ("frames-00000.npy", "frames-00001.npy", "clips.parquet")


@pytest.fixture
def marked(monkeypatch):
    """Marks the processes of a test's own cluster; one thread each, as the cluster's have."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(MARK, uuid.uuid4().hex)
    return f"{MARK}={os.environ[MARK]}".encode()


def _workers(mark):
    """Processes of the cluster that work for us."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"MapWorker" in name and mark in environment:
            found.append(int(entry.name))
    return sorted(found)


def skip_if_too_busy(told):
    """Ray gives up to start a cluster after half a minute, which is not a fault of ours."""
    if "timed out during startup" in told:
        pytest.skip("Ray does not start on a machine that is so busy")


def on_ray(capsys, *words):
    """Call a command on a cluster."""
    if main([*words, "--runner", "ray"]) != 0:
        told = capsys.readouterr().err
        skip_if_too_busy(told)
        raise AssertionError(told)


def spread(*work):
    """Work on a cluster."""
    try:
        return list(over_cluster(*work))
    except CrosscaleError as error:
        skip_if_too_busy(str(error))
        raise


@contextmanager
def one_killed(mark):
    """Kill the first worker that is seen, by SIGKILL.

    Whether one is seen before all is done is a matter of the machine, not of the results.
    """
    deadline = time.monotonic() + PATIENCE
    while _workers(mark):  # those of the command before, whose cluster is on its way down
        assert time.monotonic() < deadline, "workers stay behind"
        time.sleep(0.05)
    over = threading.Event()

    def kill():
        while not over.wait(0.02):
            if workers := _workers(mark):
                os.kill(workers[0], signal.SIGKILL)
                return

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_a_worker_killed_in_the_middle_loses_nothing_and_gives_nothing_twice(marked, tmp_path):
    begun, killed_one = tmp_path / "begun", tmp_path / "killed"

    def square_with(factor):
        class Square:
            def __call__(self, piece):
                begun.touch()
                while not killed_one.exists():
                    time.sleep(0.02)
                return np.full(piece % 3, factor * piece * piece)

        return Square()

    def kill_in_the_middle():
        while not begun.exists() or not (workers := _workers(marked)):
            time.sleep(0.02)
        os.kill(workers[0], signal.SIGKILL)
        killed_one.touch()

    pieces = list(range(40))
    thread = threading.Thread(target=kill_in_the_middle, daemon=True)
    thread.start()
    results = spread(square_with, (2,), pieces)
    assert killed_one.exists()
    expected = [np.full(piece % 3, 2 * piece * piece) for piece in pieces]
    assert len(results) == len(expected)
    assert all(np.array_equal(*both) for both in zip(results, expected, strict=True))


@pytest.mark.slow
def test_what_a_worker_refuses_arrives_as_it_was_raised(marked):
    def refusing():
        def refuse(piece):
            raise BadClip(f"clip {piece} is bad")

        return refuse

    with pytest.raises(BadClip, match=r"^clip 0 is bad$"):
        spread(refusing, (), [0, 1])
    with pytest.raises(ray.exceptions.RaySystemError, match="has not been started"):
        ray.put(1)  # as a thread of Ray's does that is late: no cluster is started for it


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_prepare_embed_and_index_give_the_same_files(marked, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reading, "PIECE", 7)
    monkeypatch.chdir(tmp_path)
    write_nwucla(tmp_path / "recordings", clips=60)
    (tmp_path / "recordings" / "all_sqe" / "a01_s20_e00_v01.json").write_text("{")
    prepare = ["prepare", "nwucla", "recordings", "--shard_clips", "40"]
    assert main([*prepare, "--out", "here"]) == 0
    with one_killed(marked):
        on_ray(capsys, *prepare, "--out", "spread")
    for file in FILES:
        assert Path("here", file).read_bytes() == Path("spread", file).read_bytes(), file
    told = capsys.readouterr()
    assert (told.out + told.err).count("a01_s20_e00_v01") >= 2, "skipped by both"
    embed, index = ([command, "parts", "here", "--out"] for command in ("embed", "index"))
    assert main([*embed, "alone.npz"]) == main([*index, "alone"]) == 0
    with one_killed(marked):
        on_ray(capsys, *embed, "together.npz")
    on_ray(capsys, *index, "together")
    ours, theirs = (dict(np.load(f"{folder}.npz")) for folder in ("alone", "together"))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    vectors = [Path(folder, "embeddings.npy").read_bytes() for folder in ("alone", "together")]
    assert vectors[0] == vectors[1]
    assert pq.read_table("alone/clips.parquet") == pq.read_table("together/clips.parquet")


def test_a_cluster_that_starts_too_slowly_is_told_in_one_line(monkeypatch):
    def init(**options):
        raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(CrosscaleError, match=r"timed out during startup.*busy, try again"):
        list(over_cluster(dict, (), [1]))


def test_without_ray_its_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CrosscaleError, match=r"crosscale\[ray\]"):
        list(over_cluster(dict, (), [1]))


def test_a_cluster_that_does_not_answer_is_told_soon(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    write_nwucla(tmp_path / "recordings")
    prepare = ["prepare", "nwucla", str(tmp_path / "recordings"), "--runner", "ray"]
    assert main([*prepare, "--out", str(tmp_path / "store")]) == USER_ERROR
    assert "RAY_ADDRESS=127.0.0.1:1 does not answer" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_nothing_to_do_needs_no_cluster():
    assert list(over_cluster(dict, (), [])) == []
