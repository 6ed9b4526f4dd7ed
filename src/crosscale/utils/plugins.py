"""Code of others: named by an import path, or announced by an installed package."""

import importlib
import sys
import traceback
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from crosscale.errors import CrosscaleError, nearest

FORMS = "package.module:Name, my_file:Name or path/to/file.py:Name"


def is_import_path(text: str) -> bool:
    """Whether a text names an object of a module rather than something registered."""
    return ":" in text


def by_module(text: str) -> str:
    """An import path by its module: `my_file:Name` for `path/to/my_file.py:Name`.

    The module of a file has the file's name, so both stand for the same object.
    """
    place, colon, name = text.rpartition(":")
    return f"{Path(place).stem if place.endswith('.py') else place}{colon}{name}"


def load_object(text: str) -> Any:
    """The object that an import path names; its module is run.

    Args:
        text: `package.module:Name`, `my_file:Name` for a file of the current folder, or
            `path/to/file.py:Name`.

    Raises:
        CrosscaleError: naming the file and the line, when there is no such module or object, or
            the module fails.
    """
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise CrosscaleError(f"{text} is no import path; write {FORMS}")
    module = _of_file(Path(place)) if place.endswith(".py") else _of_name(place)
    found: Any = module
    for step in name.split("."):
        if not hasattr(found, step):
            known = [known for known in vars(module) if not known.startswith("_")]
            raise CrosscaleError(f"{place} has no {name}: {nearest(name, known)}")
        found = getattr(found, step)
    return found


def announced(group: str) -> dict[str, str]:
    """Import paths by name, as installed packages announce them in an entry-point group.

    Args:
        group: such as `crosscale.readers`.
    """
    return dict(_announced(group, tuple(sys.path)))


@lru_cache(maxsize=32)
def _announced(group: str, path: tuple[str, ...]) -> dict[str, str]:
    """As `announced`; packages are looked through once, which takes some milliseconds."""
    return {entry.name: entry.value for entry in entry_points(group=group)}


def _of_file(path: Path) -> ModuleType:
    """The module of a file, under the file's name: what it defines can go to other processes."""
    if not path.is_file():
        raise CrosscaleError(f"{path} does not exist; an import path of a file ends in .py:Name")
    module = _imported(path.stem, path.parent, str(path))
    if module.__file__ is None or Path(module.__file__).resolve() != path.resolve():
        raise CrosscaleError(
            f"{path} has the name of another module, {module.__file__ or module.__name__}; "
            "rename the file"
        )
    return module


def _of_name(name: str) -> ModuleType:
    try:
        return _imported(name, Path.cwd(), name)
    except ModuleNotFoundError:
        file = f"{name.replace('.', '/')}.py"
        raise CrosscaleError(
            f"there is no module {name}: neither {file} in {Path.cwd()} nor an installed package; "
            "where it is elsewhere, name that folder in PYTHONPATH"
        ) from None


def _imported(name: str, folder: Path, told: str) -> ModuleType:
    """The module of a name, looked for in a folder too, after all else.

    Raises:
        ModuleNotFoundError: when there is none of that name.
        CrosscaleError: when it fails.
    """
    if str(folder.resolve()) not in sys.path:
        sys.path.append(str(folder.resolve()))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except Exception as error:  # the module may do anything
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise
        raise CrosscaleError(f"{told} cannot be imported: {_told(error)}") from error


def _told(error: Exception) -> str:
    """The kind of an error, what it says, and the line of the last file that it passed."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}, line {last.lineno}: {type(error).__name__}: {error}"
