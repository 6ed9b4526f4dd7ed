"""Make a folder of files of 0.1 as the commands wrote it."""

import gzip
import shutil
from pathlib import Path


def unpack(source: Path, target: Path) -> Path:
    """Copy a folder, every file that ends in `.gz` unpacked; returns the target.

    A run in `runs` is to be copied like this before anything is done with it.
    """
    shutil.copytree(source, target)
    for path in [*target.rglob("*.gz")]:
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    return target
