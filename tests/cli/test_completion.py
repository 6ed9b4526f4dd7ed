import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from crosscale.cli import COMMANDS, GROUPS, main, parser_of
from crosscale.cli.completion import SCRIPTS
from crosscale.cli.help import kebab
from crosscale.cli.listing import entries

PATIENCE = 120  # seconds, on a machine that does much else


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """The program, an empty cache, and a folder with recordings."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "bin" / "crosscale"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m crosscale "$@"\n')
    program.chmod(0o755)
    (folder / "here" / "recordings of mine").mkdir(parents=True)
    (folder / "here" / "kin").mkdir()
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return folder / "here", environment


@pytest.fixture
def cached(tmp_path_factory, monkeypatch):
    """One cache for all tests of this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def offered(capsys, *words):
    assert main(["__complete", *words]) == 0
    kind, *known = capsys.readouterr().out.splitlines()
    return kind == "files", known


def test_commands_are_offered(capsys):
    assert offered(capsys, "pre") == (False, ["prepare", "pretrain"])
    assert {name.split()[0] for name in COMMANDS} < set(offered(capsys, "")[1])
    for group in GROUPS:
        within = [name.split()[1] for name in COMMANDS if name.startswith(f"{group} ")]
        assert offered(capsys, group, "") == (False, within)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_offered(name, cached, capsys):
    _, known = offered(capsys, *name.split(), "--")
    for action in parser_of(name, ["--help"])._actions:
        for option in action.option_strings[:1]:
            assert kebab(option).removesuffix(".name") in known


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["prepare", "nt"], (True, ["ntu60", "ntu120", "ntu60-arrays", "ntu120-arrays"])),
        (["prepare", "ntu60", ""], (True, [])),
        (["prepare", "--label-from-folder", "sb"], (True, ["sbu"])),
        (["prepare", "--workers", "3", "sb"], (True, ["sbu"])),
        (["prepare", "--layout", "kin"], (True, ["kinect20"])),
        (["prepare", "--layout=kin"], (True, ["kinect20"])),
        (["prepare", "--layout", "=", "kin"], (True, ["kinect20"])),
        (["prepare", "--runner", "="], (False, ["here", "ray"])),
        (["prepare", "--bodies_by", "p"], (False, ["position"])),
        (["prepare", "--workers", ""], (False, [])),
        (["embed", "pa"], (True, ["parts"])),
        (["data", "merge", "a", "b", "c"], (True, [])),
        (["pretrain", "nwucla/sk"], (True, ["nwucla/skeletonclr"])),
        (["list", "rea"], (False, ["readers"])),
        (["frobnicate", ""], (False, [])),
    ],
)
def test_values_are_offered_that_fit(words, expected, cached, capsys):
    assert offered(capsys, *words) == expected


def test_registered_things_are_offered_where_they_are_named(cached, capsys):
    objectives = [entry.name for entry in entries("objectives")]
    assert offered(capsys, "pretrain", "nwucla/sgclr", "--objective", "") == (False, objectives)


def test_a_plain_line_is_enough_for_a_script(capsys):
    for shell, script in SCRIPTS.items():
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == script


class Shell:
    """An interactive bash, to which is typed as by hand."""

    def __init__(self, folder, environment):
        self.master, slave = os.openpty()
        plain = {"TERM": "dumb", "PS1": "> ", "INPUTRC": os.devnull, "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [shutil.which("bash"), "--norc", "--noprofile", "-i"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**environment, **plain},
            start_new_session=True,
        )
        os.close(slave)
        self.type("bind 'set show-all-if-ambiguous on'; stty columns 200\n")
        self.type("source <(crosscale completion bash) && echo rea''dy\n")
        self.read_until("ready")

    def type(self, text):
        os.write(self.master, text.encode())

    def read_until(self, *expected):
        """What is shown from now on, until all that is expected stands there."""
        shown, end = "", time.monotonic() + PATIENCE
        while not all(re.search(one, shown) for one in expected):
            left = end - time.monotonic()
            assert left > 0, f"{expected} is not in {shown!r}"
            if select.select([self.master], [], [], left)[0]:
                shown += os.read(self.master, 4096).decode()
        return shown

    def completed(self, text, *expected):
        self.type(f"{text}\t")
        self.read_until(*expected)
        self.type("\x15\n")  # leaves the line


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_options_names_and_paths(places):
    shell = Shell(*places)
    try:
        shell.completed("crosscale pre", r"\bprepare\b", r"\bpretrain\b")
        shell.completed("crosscale pret", "crosscale pretrain ")
        shell.completed("crosscale evaluate ", r"\bknn\b", r"\blinear\b")
        shell.completed("crosscale prepare ntu60 recordings --shard", "--shard-clips ")
        shell.completed("crosscale prepare ntu60 rec", r"recordings\\ of\\ mine/")
        shell.completed("crosscale prepare --layout kin", r"kinect20", r"\bkin/")
        shell.completed("crosscale prepare --runner=r", "--runner=ray ")
        shell.completed("crosscale prepare --table=rec", r"--table=recordings\\ of\\ mine/")
    finally:
        shell.process.kill()
        shell.process.wait()
        os.close(shell.master)


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh_takes_the_script(places):
    folder, environment = places
    load = (
        "autoload -U compinit && compinit -u && source <(crosscale completion zsh) "
        "&& print $_comps[crosscale]"
    )
    done = subprocess.run(
        ["zsh", "-f", "-c", load], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "_crosscale", done.stderr
