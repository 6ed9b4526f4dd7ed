"""Every command block of the documentation runs, page by page and from top to bottom."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crosscale.cli import COMMANDS

sys.path.append(str(Path(__file__).parents[1] / "data" / "readers"))
import bvh_files
import estimator_files


def write_sources(folder: Path) -> None:
    """Folders that the page on formats speaks of: takes, videos and mice."""
    for name in ("takes/walk", "takes/wave", "videos/walk", "mice"):
        (folder / name).mkdir(parents=True)
    body = bvh_files.person(100.0)
    for action in ("walk", "wave"):
        take = bvh_files.text(body, bvh_files.still(body, 20, (0, 90, 0)))
        (folder / "takes" / action / "first.bvh").write_text(take)
    walking = estimator_files.alphapose(estimator_files.walking("coco17", 20))
    (folder / "videos" / "walk" / "alphapose-results.json").write_text(walking)
    joints = ("nose", "left_ear", "right_ear", "back", "left_hip", "right_hip", "tail")
    head = [
        ["scorer", *["DLC"] * 3 * len(joints)],
        ["bodyparts", *(joint for joint in joints for _ in range(3))],
        ["coords", *["x", "y", "likelihood"] * len(joints)],
    ]
    rows = [
        [frame, *(n for j in range(len(joints)) for n in (10 * j + frame, 20 + j * j, 0.9))]
        for frame in range(20)
    ]
    table = "\n".join(",".join(map(str, row)) for row in [*head, *rows])
    (folder / "mice" / "first.csv").write_text(table + "\n")


DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCES = {"formats": write_sources}
PAGES = sorted(page for page in DOCS.glob("*.md") if BLOCK.search(page.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_page_runs_in_an_empty_folder(page, tmp_path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "100"}
    SOURCES.get(page.stem, lambda folder: None)(tmp_path)
    for language, block in BLOCK.findall(page.read_text()):
        program = {"bash": ["bash", "-euo", "pipefail"], "python": [sys.executable, "-"]}[language]
        done = subprocess.run(
            program, input=block, cwd=tmp_path, env=environment, text=True, capture_output=True
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def test_pages_with_commands_are_there():
    assert {"first-hour", "own-data", "extend"} <= {page.stem for page in PAGES}


def test_the_site_names_every_page():
    told = (DOCS.parent / "mkdocs.yml").read_text()
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
