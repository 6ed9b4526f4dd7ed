"""Notebooks of the documentation run, cell by cell and in an empty folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = sorted(DOCS.glob("*.ipynb"))
SIZE, SMALL = "CLASSES, ACTORS, EPOCHS = 6, 8, 60", "CLASSES, ACTORS, EPOCHS = 3, 4, 2"


def code_of(notebook: Path) -> str:
    """All of its cells of code, one after the other."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_in_an_empty_folder(notebook, tmp_path):
    code = code_of(notebook)
    assert SIZE in code
    done = subprocess.run(
        [sys.executable, "-"],
        input=code.replace(SIZE, SMALL),
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert "| body |" in done.stdout
    assert "untrained" in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(notebook):
    book = json.loads(notebook.read_text())
    assert book["nbformat"] == 4
    assert not any(cell.get("outputs") for cell in book["cells"])
    compile(code_of(notebook), notebook.name, "exec")
