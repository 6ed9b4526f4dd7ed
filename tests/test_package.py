"""What the package brings when it is installed, and the files that tell of it."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import crosscale

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "crosscale"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built beside the source tree."""
    pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools 77")
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    build = "import sys, setuptools.build_meta as b; b.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (built,) = (tree / "dist").glob("*.whl")
    return zipfile.ZipFile(built)


def test_every_file_beside_the_code_is_installed_too(wheel):
    """A file that is not named would be there in a checkout and missing for everybody else."""
    beside = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }
    # numba keeps what it compiled in __pycache__
    expected = {name for name in beside if "__pycache__" not in name}
    assert expected <= set(wheel.namelist())


def test_the_wheel_holds_the_licence_and_the_one_version(wheel):
    info = f"crosscale-{crosscale.__version__}.dist-info"
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"\nVersion: {crosscale.__version__}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata


def test_the_changelog_begins_with_the_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == crosscale.__version__


def test_all_brings_every_extra_that_users_are_told_of():
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    brought = set(re.search(r"\[(.+)\]", everything)[1].split(","))
    assert set(extras) - brought == {"all", "dev", "docs"}
    told = {
        extra
        for path in [*PACKAGE.rglob("*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
        for names in re.findall(r"crosscale\[([\w,-]+)\]'", path.read_text())
        for extra in names.split(",")
    }
    assert told <= set(extras)


def test_citation_is_of_this_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["license"]) == (PROJECT["name"], PROJECT["license"])
