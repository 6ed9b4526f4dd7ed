"""What the package brings when it is installed, and what a first use of it needs."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert set(extras) - brought == {"all", "dev", "docs", "multirocket"}
    told = {
        extra
        for path in [*PACKAGE.rglob("*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
        for names in re.findall(r"crosscale\[([\w,-]+)\]'", path.read_text())
        for extra in names.split(",")
    }
    assert told <= set(extras)


EMBED = """
import numpy as np
import crosscale

model = crosscale.load_model("parts")
walk = np.random.default_rng(0).normal(size=(40, 1, 25, 3)).astype("float32")
assert model.embed([walk], layout="ntu25").shape[0] == 1
"""
COMMANDS = """
import numpy as np
from crosscale.cli import main

rng = np.random.default_rng(0)
for name in "abcdef":
    recording = rng.normal(size=(30, 1, 20, 3)).astype("float32")
    np.savez(f"recordings/{name}.npz", coordinates=recording)
for line in (
    "prepare npz recordings --layout kinect20 --out store",
    "embed parts store --out vectors.npz",
    "classify parts store --labels labels.csv --out named.csv --save mine.head",
    "index parts store --out index",
    "search index a",
    "view store --out page.html",
    "layout check kinect20",
    "map parts --data store --out map.html",
):
    assert main(line.split()) == 0, line
assert main("pretrain own/skeletonclr --data store --out run".split()) == 2
assert main("view store --out page.html --gif film.gif".split()) == 2
"""


@pytest.mark.slow
def test_a_clip_is_embedded_with_few_libraries(tmp_path):
    """Seconds of import and a hundred megabytes come with each that is not needed for it."""
    run_with_only(("numpy", "pyarrow", "pyyaml", "safetensors", "torch"), EMBED, tmp_path)


@pytest.mark.slow
def test_commands_on_own_recordings_need_no_extra(tmp_path):
    (tmp_path / "recordings").mkdir()
    labels = [f"{name},{label}" for name, label in zip("abcd", ("walk", "wave") * 2, strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(["name,label", *labels, ""]))
    told = run_with_only(PROJECT["dependencies"], COMMANDS, tmp_path)
    assert told.count("pip install 'crosscale[train]'") == 1
    assert told.count("pip install 'crosscale[plots]'") == 1


def run_with_only(requirements: Iterable[str], code: str, folder: Path) -> str:
    """What code tells in a process that finds no modules but those of some requirements."""
    needed = modules_of(requirements)
    hidden = sorted(set(packages_distributions()) - needed - {"crosscale"})
    hide = f"""
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in {hidden!r}:
            return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""
    ran = subprocess.run(
        [sys.executable, "-c", hide + code], cwd=folder, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stderr


def modules_of(requirements: Iterable[str]) -> set[str]:
    """The modules at the top of what requirements bring, those of their own included."""
    waiting, brought = [Requirement(line) for line in requirements], set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in brought:
            continue
        brought.add(name)
        waiting += [
            own
            for own in map(Requirement, requires(name) or ())
            if any(
                own.marker is None or own.marker.evaluate({"extra": extra})
                for extra in ("", *wanted.extras)
            )
        ]
    return {
        module
        for module, names in packages_distributions().items()
        if brought & {canonicalize_name(name) for name in names}
    }


def test_citation_is_of_this_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["license"]) == (PROJECT["name"], PROJECT["license"])


def test_hooks_are_those_of_make_lint():
    """Each runs in the environment of `make install` what `make lint` runs, on what is staged."""
    (own,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert own["repo"] == "local"
    assert all({"id", "name", "language"} <= set(hook) for hook in own["hooks"])
    assert all(hook["language"] == "system" for hook in own["hooks"])
    linted = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    tools = re.findall(r"\$\(BIN\)/(.*)", linted)
    entries = [hook["entry"].removeprefix(".venv/bin/").split(" --")[0] for hook in own["hooks"]]
    assert entries == [tool.split(" --")[0] for tool in tools]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in own["hooks"])
