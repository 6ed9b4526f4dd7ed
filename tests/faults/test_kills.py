"""Whatever moment a command is killed at, starting it again gives what it would have given.

The short form kills each command a few times; the long one (`-m slow`) as often as the environment
variable CROSSCALE_KILLS says, 25 times by default. Half the kills come at a random time, half right
before a random change to the file system, where a gap between two steps would be.
"""

import hashlib
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from killable import PRETRAIN, Commands

from crosscale.cli import INTERRUPTED

SHORT, LONG = 3, int(os.environ.get("CROSSCALE_KILLS", "25"))
KILLS_IN_A_ROW = 3
# What differs from run to run: when, and how long it took. TensorBoard names its files by that.
TIMES = {"written", "seconds", "evaluation_seconds", "clips_per_second"}
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
    "merge": Killed(
        ("data", "merge", "store", "--out", "made", "--overwrite", "--layout", "part10"),
        "made",
        "old_store",
    ),
    "pretrain": Killed((*PRETRAIN, "--out", "new_run"), "new_run", again=resumed),
    "linear": Killed(("evaluate", "linear", "run", "--floors"), "run"),
    "knn": Killed(("evaluate", "knn", "run"), "run"),
    "finetune": Killed(("evaluate", "finetune", "run", "--config.epochs=2"), "run"),
    "embed": Killed(("embed", "run", "store", "--out", "vectors.parquet"), "vectors.parquet"),
    "index": Killed(
        ("index", "run", "store", "--out", "made.index", "--overwrite"), "made.index", "old_index"
    ),
    "compare": Killed(("compare", "plan.yaml", "--out", "compared"), "compared"),
}
# These replace a folder whole; the others build theirs up file by file.
IN_ONE_STEP = {"prepare", "merge", "index"}


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


class Trial:
    """Kills a command again and again, and looks at what is left each time."""

    def __init__(self, name: str, commands: Commands, inputs: Path) -> None:
        self.name, self.commands, self.inputs = name, commands, inputs
        self.command = COMMANDS[name]
        self.work = inputs.with_name("work")
        self.command.start(self.work, inputs)
        self.before = state(self.work / self.command.out)
        self.undisturbed = commands.well(*self.command.words, folder=self.work)
        self.wanted, self.all_wanted = state(self.work / self.command.out), state(self.work)
        assert self.wanted != self.before, "a command that changes nothing tests nothing"

    def kill_often(self, kills: int, draw: random.Random) -> int:
        """Kill as often as told, a few times in a row; returns the number of completed rows."""
        rows, done = 0, 0
        while done < kills:
            self.command.start(self.work, self.inputs)
            for _ in range(min(KILLS_IN_A_ROW, kills - done)):
                done += self._killed(draw)
            ended = self._run()
            assert ended.status == 0, ended.said
            assert state(self.work) == self.all_wanted
            rows += 1
        return rows

    def stop(self, signals: Sequence[signal.Signals], draw: random.Random) -> None:
        """Send one signal after the other, each to a new start, and go on to the end."""
        self.command.start(self.work, self.inputs)
        for sent in signals:
            begin = state(self.work)
            seconds = draw.uniform(0.1, 0.9) * self.undisturbed.seconds
            ended = self._run(seconds=seconds, send=sent)
            if ended.status == -sent:  # before there was a command that could have seen it
                assert state(self.work) == begin
            else:
                assert ended.status in (0, INTERRUPTED), ended.said
                assert "Traceback" not in ended.said
        assert self._run().status == 0
        assert state(self.work) == self.all_wanted

    def _run(self, **options: Any) -> Any:
        again = self.command.again(self.work)
        return self.commands(*self.command.words, *again, folder=self.work, **options)

    def _killed(self, draw: random.Random) -> bool:
        """Kill once; false where the command was done before."""
        if draw.random() < 0.5:
            ended = self._run(seconds=draw.uniform(0, self.undisturbed.seconds))
        else:
            ended = self._run(change=draw.randint(1, self.undisturbed.changes))
        assert ended.status in (0, -signal.SIGKILL), ended.said
        if self.name in IN_ONE_STEP:
            assert state(self.work / self.command.out) in (self.before, self.wanted)
        return ended.status != 0


@pytest.fixture(scope="module", params=COMMANDS)
def trial(request, commands, inputs):
    return Trial(request.param, commands, inputs)


def test_a_command_killed_a_few_times_and_started_again_gives_the_same(trial):
    trial.kill_often(SHORT, random.Random(trial.name))


def test_a_command_stopped_by_a_signal_ends_in_order_and_can_be_started_again(trial):
    trial.stop([signal.SIGTERM, signal.SIGINT], random.Random(trial.name))


@pytest.mark.slow
def test_a_command_killed_many_times_gives_the_same(trial, capsys):
    rows = trial.kill_often(LONG, random.Random(f"{trial.name} often"))
    with capsys.disabled():
        print(f"\n{trial.name}: {LONG} kills survived, {rows} results equal to the undisturbed one")
