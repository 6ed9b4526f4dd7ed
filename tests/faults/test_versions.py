"""What an older or newer program wrote is refused by the name of its format."""

import re

import numpy as np
import pytest
from readable import NAMED

from crosscale.errors import CrosscaleError

NEWER = "bring crosscale up to date"
REMEDY = {0: "again|anew|delete it", 2: NEWER, 3: NEWER}
READ = {("store/store.json", 2)}  # a store of shards


def in_version(content: bytes, version: int) -> bytes:
    """A file of version 1 that says it is of another."""
    named = rb'(crosscale [a-z ]+ |"version": )1(?=\\?["},])'
    changed, places = re.subn(named, rb"\g<1>%d" % version, content, count=1)
    assert places
    return changed


@pytest.mark.parametrize(
    ("pattern", "version"), sorted({(p, v) for p in NAMED for v in REMEDY} - READ)
)
def test_another_version_is_refused_by_name(files, pattern, version):
    (path,) = files.glob(pattern)
    whole = path.read_bytes()
    if path.suffix == ".npz":
        with np.load(path) as archive:
            parts = dict(archive)
        np.savez(path, **parts | {"format": f"{str(parts['format'])[:-1]}{version}"})
    else:
        path.write_bytes(in_version(whole, version))
    try:
        with pytest.raises(CrosscaleError, match=REMEDY[version]) as told:
            NAMED[pattern](path)
    finally:
        path.write_bytes(whole)
    line = str(told.value)
    assert "\n" not in line
    assert str(path) in line or str(path.parent) in line
    assert re.search(rf"version {version}, .* version 1;|[a-z] {version}', .*[a-z] 1'", line)
