"""docs/architecture.md tells how the rooms stand, and no import runs against it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "crosscale"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
PATH = re.compile(r"crosscale((?:\.\w+)+)(?::\w+)?")


def test_the_page_names_every_room_and_no_other():
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if has_code(path)}
    assert sorted(ROOMS) == sorted(there - {"__init__", "__main__"})


def test_every_file_on_the_page_is_there():
    named = set(re.findall(r"`([\w/]+(?:/|\.(?:py|md|yaml|json)))`", PAGE))
    assert not {name for name in named if not ((PACKAGE / name).exists() or (ROOT / name).exists())}


def test_a_room_imports_only_rooms_before_it():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {imported}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, imported in imports(path)
        if rank(imported) > rank(room_of(path))
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_of_every_form_are_found(tmp_path):
    file = tmp_path / "some.py"
    file.write_text(
        "import crosscale.training.loop\n"
        "from crosscale import errors, load\n"
        "from crosscale.data.clip import Clip\n"
        "if TYPE_CHECKING:\n    from crosscale.viz import page\n"
        "def late():\n    from crosscale.serve.app import app\n"
        "TABLE = {'a': 'crosscale.readers.auto:make'}\n"
    )
    found = [imported for _, imported in imports(file)]
    assert sorted(found) == ["data", "errors", "readers", "serve", "training", "viz"]


def has_code(path: Path) -> bool:
    return path.suffix == ".py" or any(path.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rank(room: str) -> int:
    """Where a room stands; the package itself stands on all of them."""
    return len(ROOMS) if room.startswith("__") else ROOMS.index(room)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of this package, also late ones, for types, and by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                paths = [alias.name for alias in names]
            case ast.ImportFrom(module="crosscale", names=names):
                paths = [f"crosscale.{alias.name}" for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                paths = [module]
            case ast.ImportFrom():
                raise AssertionError(f"{path}:{node.lineno} imports by dots: write crosscale.")
            case ast.Constant(value=str(text)) if PATH.fullmatch(text):
                paths = [text.partition(":")[0]]
            case _:
                continue
        for named in paths:
            top, _, room = named.partition(".")
            room = room.partition(".")[0]
            if top == "crosscale" and room in ROOMS:
                yield node.lineno, room
