"""The examples of scikit-learn run as they are, and find more than chance would."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.slow


def shares(name: str, folder: Path) -> list[int]:
    """All percentages that an example prints."""
    command = [sys.executable, EXAMPLES / name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == []
    return [int(number) for number in re.findall(r"(\d+) %", done.stdout)]


def test_a_pipeline_names_the_actions_of_people_never_seen(tmp_path):
    linear, other, *each = shares("sklearn_pipeline.py", tmp_path)
    assert min(linear, other) > 60  # of four actions
    assert len(each) == 8


def test_a_grid_is_searched_over_heads_and_other_classifiers(tmp_path):
    best, *others = shares("grid_search.py", tmp_path)
    assert best > 50  # of nine actions
    assert best >= max(others)
