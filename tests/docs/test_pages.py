"""Every command block of the documentation runs, page by page and from top to bottom."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crosscale.cli import COMMANDS

sys.path.append(str(Path(__file__).parent))
from quick import program
from stages import STAGES, Stage

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS_OF = ("crosscale ", "make ", "pip ", "torchrun ", "srun ", "git ", "python ")
PROGRAMS = {"bash": ["bash", "-euo", "pipefail"], "python": [sys.executable, "-"]}
ROOT = DOCS.parent
ALL = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
PAGES = [page for page in ALL if PROGRAMS.keys() & dict(FENCE.findall(page.read_text()))]


@pytest.fixture(scope="module")
def quick_crosscale(tmp_path_factory):
    with program(tmp_path_factory.mktemp("quick")) as written:
        yield written


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_runs_in_an_empty_folder(page, tmp_path, quick_crosscale):
    stage = STAGES.get(page.stem, Stage())
    folder = tmp_path / "page"
    folder.mkdir()
    stage.write(folder)
    own = [str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(own), "COLUMNS": "100"}
    environment |= {name: value.format(folder=folder) for name, value in stage.settings.items()}
    (tmp_path / "bin").mkdir()
    for name, text in stage.programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    if not stage.apart:
        (tmp_path / "bin" / "crosscale").symlink_to(quick_crosscale)
    for language, block in FENCE.findall(page.read_text()):
        if language not in PROGRAMS:
            continue
        for written, run in stage.instead.items():
            block = block.replace(written, run.format(folder=folder))
        done = subprocess.run(
            PROGRAMS[language],
            input=block,
            cwd=folder,
            env=environment,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page):
    """NAME and KIND stand for names to be given."""
    named = re.findall(r"`((?:src|tests|docs|examples|benchmarks)/[^`\s:]*)", page.read_text())
    lacking = [name for name in named if not (ROOT / re.sub(r"[A-Z]{4,}.*", "", name)).exists()]
    assert not lacking


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_no_block_of_commands_is_left_out(page):
    for language, block in FENCE.findall(page.read_text()):
        if language not in PROGRAMS:
            assert not any(line.startswith(COMMANDS_OF) for line in block.splitlines()), block


def test_what_is_put_in_place_of_a_pages_words_stands_there():
    texts = {page.stem: page.read_text() for page in ALL}
    for page, stage in STAGES.items():
        assert all(written in texts[page] for written in stage.instead), page


def test_pages_with_commands_are_there():
    assert {"first-hour", "own-data", "extend"} <= {page.stem for page in PAGES}


def test_the_site_names_every_page():
    told = (ROOT / "mkdocs.yml").read_text()
    missing = [page.name for page in DOCS.glob("*.md") if f": {page.name}" not in told]
    assert not missing


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """Every link, anchor and name of the Python API is there."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=DOCS.parent, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "commands" / "index.html").read_text()
    assert commands.count("usage: crosscale") == len(COMMANDS)
    for command in COMMANDS:
        assert f'id="{command.replace(" ", "-")}"' in commands
