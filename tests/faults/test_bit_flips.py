"""A bit that changes in a file is told by an error that names the file, or changes nothing read.

As many bits of each file as the environment variable CROSSCALE_FLIPS says, 30 by default.
"""

import json
import os
import random

import pytest
import torch
from readable import ENCODER, FILES
from safetensors.torch import save_file

from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import FORMAT
from crosscale.utils.tensors import read_safetensors

FLIPS = int(os.environ.get("CROSSCALE_FLIPS", "30"))


@pytest.mark.parametrize("pattern", FILES)
def test_a_changed_bit_is_told_or_changes_nothing(files, pattern):
    (path,) = files.glob(pattern)
    read, whole, draw = FILES[pattern], path.read_bytes(), random.Random(pattern)
    wanted, told = repr(read(path)), []
    for place in draw.choices(range(8 * len(whole)), k=FLIPS):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            assert repr(read(path)) == wanted, f"bit {place} was not noticed"
        except CrosscaleError as error:
            told.append(str(error))
    path.write_bytes(whole)
    assert repr(read(path)) == wanted
    assert all(path.name in text or str(path.parent) in text for text in told)
    assert len(told) > FLIPS / 2
    print(f"\n{pattern}: {FLIPS} bits changed, {len(told)} told, the others change nothing read")


def test_what_was_written_before_there_were_checksums_is_read(files):
    path = files / ENCODER
    found, facts = read_safetensors(path, FORMAT)
    old = path.with_name("old.safetensors")
    save_file(found, old, metadata={"crosscale": json.dumps(facts)})
    again, told = read_safetensors(old, FORMAT)
    assert told == facts
    assert all(torch.equal(found[name], again[name]) for name in found)
