"""What is named must be of the kind that is asked for."""

import sys
from pathlib import Path
from typing import Any

import pytest

from crosscale.augment.compose import AUGMENTATIONS
from crosscale.cli import main
from crosscale.encoders import ENCODERS
from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes import PROBES
from crosscale.objectives import OBJECTIVES
from crosscale.training.optim import OPTIMISERS, SCHEDULES
from crosscale.training.sources import SOURCES
from crosscale.utils.registry import Registry

REGISTRIES = [AUGMENTATIONS, ENCODERS, OBJECTIVES, OPTIMISERS, PROBES, SCHEDULES, SOURCES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "of_no_kind.py").write_text("class Plain:\n    pass\n\nnumber = 3\n")
    return tmp_path


@pytest.mark.parametrize("name", ["Plain", "number"])
@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_what_is_of_another_kind_is_refused(registry: Registry, name: str, folder: Path) -> None:
    with pytest.raises(CrosscaleError, match=rf"of_no_kind\.py:{name} is no {registry.kind}: it "):
        registry.load(f"of_no_kind.py:{name}")


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_what_the_package_brings_is_of_its_kind(registry: Registry) -> None:
    for name, path in registry.built_in().items():
        if name != "finetune":  # which trains the encoder too, and is fitted to clips
            assert registry.load(path) is registry.load(name)


def test_the_command_says_it_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pretrain", "nwucla/skeletonclr", "--out", "run", "--source", "of_no_kind.py:Plain"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "of_no_kind.py:Plain is no source" in line


def test_a_damaged_recipe_of_a_run_is_told_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.yaml").write_text("seed: 1\nstreams: [\n")
    assert main(["pretrain", "mine.yaml", "--out", "run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mine.yaml is not a YAML file (line 3)" in line


@pytest.mark.parametrize("given", ["path/to/mine.py:Mine", "mine:Mine", "../mine.py:Mine"])
def test_a_name_has_one_spelling(given: str) -> None:
    assert OBJECTIVES.spelled(given) == "mine:Mine"


def test_what_has_a_name_is_spelled_by_it() -> None:
    path: Any = OBJECTIVES.paths()["moco"]
    assert OBJECTIVES.spelled("moco") == OBJECTIVES.spelled(path) == "moco"
    assert OBJECTIVES.spelled("no_such") == "no_such"
