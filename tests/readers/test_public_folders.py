"""Each public data set is read by the one command that the documentation shows."""

import re
import shlex
from pathlib import Path

import pytest

from crosscale.cli import main
from crosscale.data.store import ClipStore

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"^\| .*, `([\w-]+)` \| `crosscale (prepare .*)` \|$", re.MULTILINE)
COMMANDS = dict(COMMAND.findall((ROOT / "docs" / "formats.md").read_text()))
WHOLE = {  # classes and subjects of each
    "bandai-namco": (10, 0),
    "gtu3d": (14, 0),
    "nw-ucla": (10, 10),
    "precog": (6, 12),
    "ui-prmd": (10, 10),
    "utd-mhad": (27, 8),
}


def test_all_of_them_are_shown():
    assert sorted(COMMANDS) == sorted(WHOLE)


@pytest.mark.slow
@pytest.mark.parametrize("folder", WHOLE)
def test_the_command_that_is_shown_reads_a_folder(shared, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).symlink_to(shared(f"data/{folder}"))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    assert main(shlex.split(COMMANDS[folder])) == 0
    store = ClipStore.open(tmp_path / "stores" / folder)
    subjects = {subject for subject in store.column("subject").tolist() if subject >= 0}
    assert (len(set(store.labels[store.labels >= 0].tolist())), len(subjects)) == WHOLE[folder]
    assert (store.labels >= 0).all()
