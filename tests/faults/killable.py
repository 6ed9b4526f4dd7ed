"""Commands run as processes of their own, to be killed or hindered."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tiny_run import TINY

FORKER = Path(__file__).with_name("forker.py")
# Two epochs, so that there is a checkpoint to go on from.
PRETRAIN = [
    *("pretrain", "synthetic/crosscale", "--data", "store", "--save_every=1"),
    *(setting for setting in TINY if "epochs" not in setting),
    "--training.epochs=2",
]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status (-9 when killed), and what it took and said."""

    status: int
    seconds: float
    changes: int
    said: str


class Commands:
    """Runs commands as processes of their own, without waiting for imports each time."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [sys.executable, str(FORKER)], stdin=-1, stdout=-1, text=True, env=environment
        )

    def __call__(
        self,
        *arguments: str | Path,
        folder: Path,
        seconds: float | None = None,
        change: int | None = None,
        send: int = signal.SIGKILL,
        vanish: str | None = None,
        largest_file: int | None = None,
        read_only: bool = False,
    ) -> Ended:
        """Run a command in a folder.

        Args:
            arguments: the command.
            folder: to run it in.
            seconds: after which it is sent `send`.
            change: right before which of its changes to the file system it is killed.
            send: a signal.
            vanish: what is taken away at that moment, in the place of killing the command.
            largest_file: bytes that it may write into a file, as if the disk were full then.
            read_only: whether the folder cannot be written.
        """
        request: dict[str, Any] = {
            "arguments": [str(word) for word in arguments],
            "folder": str(folder),
            "seconds": seconds,
            "change": change,
            "signal": int(send),
            "vanish": vanish,
            "largest_file": largest_file,
            "read_only": read_only,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return Ended(**json.loads(self.process.stdout.readline()))

    def well(self, *arguments: str | Path, folder: Path) -> Ended:
        """Run a command that must succeed."""
        ended = self(*arguments, folder=folder)
        assert ended.status == 0, ended.said
        return ended

    def end(self) -> None:
        """Let the process that forks the commands end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


# What differs from run to run: when, how long it took, and the checksum of a file that says so.
# TensorBoard names its files by that.
TIMES = {"written", "seconds", "evaluation_seconds", "clips_per_second", "checksum"}
TIMED = (".html", ".md", ".csv")


@dataclass(frozen=True)
class Killed:
    """A command, and what it starts from.

    Attributes:
        words: of the command.
        begin: what stands in its place when it starts, by the name that it has among the inputs.
        out: what it writes, in the folder of the inputs.
        again: further words when it is started another time.
    """

    words: tuple[str, ...]
    out: str
    begin: str | None = None
    again: Callable[[Path], list[str]] = lambda work: []

    def start(self, work: Path, inputs: Path) -> None:
        """Put the inputs into the folder of the work."""
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(inputs, work)
        if self.begin is not None:
            (work / self.begin).replace(work / self.out)


def resumed(work: Path) -> list[str]:
    return ["--resume"] if (work / "new_run" / "recipe.yaml").exists() else []


COMMANDS = {
    "prepare": Killed(
        ("prepare", "ntu60", "raw", "--out", "made", "--overwrite"), "made", "old_store"
    ),
    "prepare in shards": Killed(
        ("prepare", "ntu60", "raw", "--out", "made", "--overwrite", "--shard_clips", "4"),
        "made",
        "old_store",
    ),
    "merge": Killed(
        ("data", "merge", "store", "--out", "made", "--overwrite", "--layout", "part10"),
        "made",
        "old_store",
    ),
    "pretrain": Killed((*PRETRAIN, "--out", "new_run"), "new_run", again=resumed),
    "linear": Killed(("evaluate", "linear", "run", "--epochs=2", "--baselines"), "run"),
    "knn": Killed(("evaluate", "knn", "run"), "run"),
    "finetune": Killed(("evaluate", "finetune", "run", "--epochs=2"), "run"),
    "embed": Killed(("embed", "run", "store", "--out", "vectors.parquet"), "vectors.parquet"),
    "index": Killed(
        ("index", "run", "store", "--out", "made.index", "--overwrite"), "made.index", "old_index"
    ),
    "compare": Killed(("compare", "plan.yaml", "--out", "compared"), "compared"),
}
# The others are tried with the slow tests.
QUICK = {"prepare", "index"}
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
# These replace a folder whole; the others build theirs up file by file.
IN_ONE_STEP = {"prepare", "prepare in shards", "merge", "index"}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def content(path: Path) -> str:
    """A digest of what a file says, but for times."""
    data = path.read_bytes()
    if path.suffix == ".json":
        data = json.dumps(without_times(json.loads(data))).encode()
    if path.name.startswith("table."):
        data = b"rounded times among figures that results hold"
    return hashlib.sha256(data).hexdigest()


def state(path: Path) -> dict[str, str]:
    """Every file at or below a path, hidden ones too."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {
        str(file.relative_to(path.parent)): content(file) if file.is_file() else "folder"
        for file in files
        if "tensorboard" not in file.parts
    }
