"""Folders of this machine, of which a file that is shared must say nothing."""

import zipfile
from pathlib import Path

import pytest

import crosscale


def see_no_places(path: Path, own: Path) -> None:
    """No file at or below a path holds a folder of this machine, `own` too, also in archives."""
    parts = [file.read_bytes() for file in path.rglob("*") if file.is_file()]
    parts += [path.read_bytes()] if path.is_file() else []
    for archive in filter(zipfile.is_zipfile, [path, *path.rglob("*")]):
        with zipfile.ZipFile(archive) as members:
            parts += [members.read(name) for name in members.namelist()]
    assert parts
    of_package = Path(crosscale.__file__).parents[1]
    for place in (own, of_package, Path(pytest.__file__).parents[1], Path.home()):
        assert not any(str(place).encode() in part for part in parts), place
