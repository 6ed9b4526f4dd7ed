"""What the package brings when it is installed from a wheel."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "crosscale"


def test_every_file_beside_the_code_is_installed_too():
    """A file that is not named would be there in a checkout and missing for everybody else."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["crosscale"]
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    beside = {
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith(".")
    }
    # numba keeps what it compiled in __pycache__
    missing = {path for path in beside - installed if "__pycache__" not in path.parts}
    assert not missing
