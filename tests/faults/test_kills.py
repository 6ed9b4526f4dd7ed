"""Whatever moment a command is killed at, starting it again gives what it would have given.

The short form kills two commands a few times; the long one (`-m slow`) kills each as often as the
environment variable CROSSCALE_KILLS says, 9 times by default. Half the kills come at a random time,
half right before a random change to the file system, where a gap between two steps would be.
"""

import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from killable import COMMANDS, EACH, IN_ONE_STEP, QUICK, Commands, state

from crosscale.cli import INTERRUPTED

SHORT, LONG = 3, int(os.environ.get("CROSSCALE_KILLS", "9"))
KILLS_IN_A_ROW = 3


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
                # One that arrives inside a callback of compiled code is printed and lost there.
                assert "Traceback" not in ended.said.partition("Exception ignored")[0]
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


@pytest.fixture(scope="module", params=EACH)
def trial(request, commands, inputs):
    return Trial(request.param, commands, inputs)


@pytest.mark.parametrize("trial", sorted(QUICK), indirect=True)
def test_a_command_killed_a_few_times_and_started_again_gives_the_same(trial):
    trial.kill_often(SHORT, random.Random(trial.name))


def test_a_command_stopped_by_a_signal_ends_in_order_and_can_be_started_again(trial):
    trial.stop([signal.SIGTERM, signal.SIGINT], random.Random(trial.name))


@pytest.mark.slow
def test_a_command_killed_many_times_gives_the_same(trial, capsys):
    rows = trial.kill_often(LONG, random.Random(f"{trial.name} often"))
    with capsys.disabled():
        print(f"\n{trial.name}: {LONG} kills survived, {rows} results equal to the undisturbed one")
