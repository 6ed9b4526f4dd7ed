"""Readers that are not of this package."""

import sys
from pathlib import Path

import pytest

from crosscale.cli import main
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.readers import known_readers, make_reader

MODULE = """
import pretend_reader

class PretendReader(pretend_reader.PretendReader):
    @staticmethod
    def recognises(source):
        return "it is a list" if source.name == "list.txt" else None
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a package that announces the reader `lists` is installed."""
    packages = tmp_path / "packages"
    (packages / "lists_of_mine-1.0.dist-info").mkdir(parents=True)
    (packages / "lists_of_mine-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: lists-of-mine\nVersion: 1.0\n"
    )
    (packages / "lists_of_mine-1.0.dist-info" / "entry_points.txt").write_text(
        "[crosscale.readers]\nlists = lists_of_mine:PretendReader\nnpz = lists_of_mine:Npz\n"
    )
    (packages / "lists_of_mine.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [str(packages), *sys.path])
    (tmp_path / "list.txt").write_text("0000 good\n0001 good\n")
    return tmp_path


@pytest.mark.parametrize("source_format", ["lists", "auto"])
def test_an_installed_package_may_bring_a_reader(installed, source_format):
    out = installed / "store"
    assert main(["prepare", source_format, str(installed / "list.txt"), "--out", str(out)]) == 0
    assert ClipStore.open(out).names == ["0000", "0001"]


def test_no_package_takes_the_name_of_a_builtin_reader(installed):
    assert known_readers()["npz"].startswith("crosscale.")


def test_a_wrong_name_is_answered_with_the_nearest(installed):
    with pytest.raises(CrosscaleError, match="'lists'"):
        make_reader("list")
