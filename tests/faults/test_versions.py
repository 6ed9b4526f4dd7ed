"""What an older or newer program wrote is refused by the name of its format."""

import re

import numpy as np
import pytest
from readable import ENCODER, LAST, NAMED, TUNED

from crosscale.errors import CrosscaleError

NEWER = "bring crosscale up to date"
OLDER = "again|anew|delete it"
# Every other file is of version 1.
WRITTEN = {"run/features-*.npz": 2, "named.head": 2, ENCODER: 2, TUNED: 2, LAST: 2}
# A store of shards; what 0.1 wrote.
READ = {("store/store.json", 2), ("named.head", 1), (ENCODER, 1), (TUNED, 1), (LAST, 1)}


def in_version(content: bytes, version: int) -> bytes:
    """A file that says it is of another version."""
    named = rb'(crosscale [a-z ]+ |"version": )\d(?=\\?["},])'
    changed, places = re.subn(named, rb"\g<1>%d" % version, content, count=1)
    assert places
    return changed


def others(pattern):
    """The versions that the program does not write."""
    return {0, 1, 2, 3} - {WRITTEN.get(pattern, 1)}


@pytest.mark.parametrize(
    ("pattern", "version"), sorted({(p, v) for p in NAMED for v in others(p)} - READ)
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
        remedy = OLDER if version < WRITTEN.get(pattern, 1) else NEWER
        with pytest.raises(CrosscaleError, match=remedy) as told:
            NAMED[pattern](path)
    finally:
        path.write_bytes(whole)
    line = str(told.value)
    assert "\n" not in line
    assert str(path) in line or str(path.parent) in line
    own = WRITTEN.get(pattern, 1)
    assert re.search(
        rf"version {version}, .* version {own};|[a-z] {version}', .*[a-z] {own}'", line
    )
