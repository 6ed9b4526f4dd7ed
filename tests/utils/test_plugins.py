"""Objects of others' files, found by import path."""

import sys
from pathlib import Path

import pytest

from crosscale.errors import CrosscaleError
from crosscale.utils.plugins import announced, is_import_path, load_object


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def test_an_object_of_an_installed_module() -> None:
    assert load_object("crosscale.errors:CrosscaleError") is CrosscaleError
    assert load_object("pathlib:Path.cwd")() == Path.cwd()


def test_an_object_of_a_file_in_the_current_folder(folder: Path) -> None:
    (folder / "an_idea_of_mine.py").write_text("class Idea:\n    weight = 3\n")
    assert load_object("an_idea_of_mine:Idea").weight == 3


def test_an_object_of_a_file_elsewhere_is_known_by_its_module(folder: Path) -> None:
    file = folder / "elsewhere" / "another_idea.py"
    file.parent.mkdir()
    file.write_text("class Idea:\n    pass\n")
    found = load_object(f"{file}:Idea")
    assert found.__module__ == "another_idea"
    assert load_object("elsewhere/another_idea.py:Idea") is found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Idea", "import path"),
        ("broken:", "import path"),
        ("no_such_file:Idea", "no_such_file.py"),
        ("no/such_file.py:Idea", "no/such_file.py does not exist"),
        ("good_idea:Ideal", "'Idea'"),
        ("broken_idea:Idea", "broken_idea.py, line 2"),
        ("failing_idea:Idea", "failing_idea.py, line 3: ZeroDivisionError"),
        ("needing_idea:Idea", "needing_idea.py, line 1: ModuleNotFoundError"),
        ("random.py:Idea", "rename the file"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_its_place(folder: Path, text: str, told: str) -> None:
    (folder / "good_idea.py").write_text("class Idea:\n    pass\n")
    (folder / "broken_idea.py").write_text("x = 1\nclass Idea\n")
    (folder / "failing_idea.py").write_text("\n\n1 / 0\n")
    (folder / "needing_idea.py").write_text("import a_package_that_nobody_has\n")
    (folder / "random.py").write_text("class Idea:\n    pass\n")
    with pytest.raises(CrosscaleError, match=told):
        load_object(text)


def test_a_name_is_no_import_path() -> None:
    assert not is_import_path("ntu60")
    assert is_import_path("my_file:MyReader")


def test_an_unknown_group_announces_nothing() -> None:
    assert announced("crosscale.nothing") == {}
