"""A disk that is full or read-only, an input that vanishes, another run in the same folder: one
line that says so, and what was there before is there still.
"""

import random
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from forker import CANNOT_MOUNT
from killable import COMMANDS, EACH, IN_ONE_STEP, Commands, Ended, Killed, state

from crosscale.cli import USER_ERROR
from crosscale.utils.files import HALF, only_writer

# What each command reads. A plan's store is named by its plan.
INPUTS = dict.fromkeys(COMMANDS, "store") | {"prepare": "raw"}
VANISHINGS = 3


def line_of(ended: Ended) -> str:
    """The one line of an error."""
    assert ended.status == USER_ERROR, ended.said
    assert "Traceback" not in ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("crosscale: ")]
    assert ended.said.rstrip().endswith(line)
    return line


class Hindered:
    """A command, the state before and after it when nothing goes wrong, and another try."""

    def __init__(self, name: str, commands: Commands, inputs: Path) -> None:
        self.name, self.commands, self.inputs = name, commands, inputs
        self.command: Killed = COMMANDS[name]
        self.work = inputs.with_name("work")
        self.start()
        self.before = state(self.work)
        self.undisturbed = commands.well(*self.command.words, folder=self.work)
        self.wanted = state(self.work)

    def start(self) -> None:
        self.command.start(self.work, self.inputs)

    def run(self, **options) -> Ended:
        again = self.command.again(self.work)
        return self.commands(*self.command.words, *again, folder=self.work, **options)

    def see_old_state(self, but: str = "") -> None:
        """Nothing that was there is gone or half-written; whole files may have come."""
        before, now = (
            {name: told for name, told in files.items() if not (but and name.startswith(but))}
            for files in (self.before, state(self.work))
        )
        if self.name in IN_ONE_STEP:
            assert now == before
        assert before.items() <= now.items()
        assert not [name for name in now if name.endswith(HALF)]

    def see_that_it_goes_on(self) -> None:
        ended = self.run()
        assert ended.status == 0, ended.said
        assert state(self.work) == self.wanted


@pytest.fixture(scope="module", params=EACH)
def hindered(request, commands, inputs):
    return Hindered(request.param, commands, inputs)


@pytest.fixture(scope="module")
def others() -> Iterator[Commands]:
    """Runs commands at the same time as `commands`."""
    started = Commands()
    yield started
    started.end()


@pytest.mark.parametrize("largest_file", [0, 700, 20_000])
def test_a_full_disk(hindered, largest_file):
    hindered.start()
    ended = hindered.run(largest_file=largest_file)
    if ended.status == 0:  # all that it writes is smaller
        assert largest_file
        assert state(hindered.work) == hindered.wanted
        return
    line = line_of(ended)
    assert "cannot write" in line
    assert "too large" in line.lower()
    hindered.see_old_state()
    hindered.see_that_it_goes_on()


def test_a_read_only_folder(hindered):
    hindered.start()
    ended = hindered.run(read_only=True)
    if ended.status == CANNOT_MOUNT:
        pytest.skip("only root on Linux can make a folder read-only for root too")
    line = line_of(ended)
    assert "cannot write" in line
    assert "Read-only file system" in line
    assert state(hindered.work) == hindered.before
    hindered.see_that_it_goes_on()


def test_an_input_that_vanishes(hindered):
    draw, taken = random.Random(hindered.name), INPUTS[hindered.name]
    moments = [{"change": change} for change in (1, 2)]
    for _ in range(VANISHINGS):
        moments.append({"seconds": draw.uniform(0, 0.9) * hindered.undisturbed.seconds})
    for moment in moments:
        hindered.start()
        ended = hindered.run(vanish=taken, **moment)
        if ended.status != 0:
            assert taken in line_of(ended)
            hindered.see_old_state(but=f"work/{taken}")
        if not (hindered.work / taken).exists():
            shutil.copytree(hindered.inputs / taken, hindered.work / taken)
        if ended.status == 0:  # it had read all that it needs
            assert state(hindered.work) == hindered.wanted
        else:
            hindered.see_that_it_goes_on()


def test_two_runs_at_once(hindered, others):
    hindered.start()
    with ThreadPoolExecutor() as both:
        one, other = both.map(
            lambda commands: commands(*hindered.command.words, folder=hindered.work),
            (hindered.commands, others),
        )
    assert 0 in (one.status, other.status), one.said + other.said
    for ended in (one, other):
        if ended.status != 0:
            assert re.search("another process|holds a run already", line_of(ended))
    assert state(hindered.work) == hindered.wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pretrain", "compare"])
def test_what_takes_long_is_refused_to_a_second_run(name, commands, inputs):
    second = Hindered(name, commands, inputs)
    second.start()
    with only_writer(second.work / second.command.out):
        before = state(second.work)
        line = line_of(second.run())
        assert "is being written by another process" in line
        assert state(second.work) == before
    second.see_that_it_goes_on()
