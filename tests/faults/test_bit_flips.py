"""A bit that changes in a file is told by an error that names the file, or changes nothing read.

As many bits of each file as the environment variable CROSSCALE_FLIPS says, 30 by default.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from crosscale.compare.results import read_result
from crosscale.data.store import ClipStore
from crosscale.data.store_files import DESCRIPTION, FRAMES, TABLE, describe
from crosscale.errors import CrosscaleError
from crosscale.evaluate.features import Features
from crosscale.predict.index import Index
from crosscale.run import ENCODER_FILE, FORMAT, read_safetensors
from crosscale.train import checkpoint

FLIPS = int(os.environ.get("CROSSCALE_FLIPS", "30"))


def tensors(expected_format: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        found, facts = read_safetensors(path, expected_format)
        return {name: tensor.tolist() for name, tensor in found.items()}, facts

    return read


def known(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    """What is used of a description; a bit may turn the checksum's name into a stranger."""
    return {key: values[key] for key in keys}


def store(path: Path) -> Any:
    ClipStore.open(path.parent).verify()
    return known(describe(path.parent), "name", "classes", "layout", "provenance", "clips")


def index(path: Path) -> Any:
    opened = Index.open(path.parent)
    opened.verify()
    return known(opened.facts, "run", "encoder", "width")


FILES: dict[str, Callable[[Path], Any]] = {
    f"run/{ENCODER_FILE}": tensors(FORMAT),
    f"run/{checkpoint.LAST}": tensors(checkpoint.FORMAT),
    "run/features-*.npz": lambda path: Features.load(path).fingerprint(),
    f"store/{DESCRIPTION}": store,
    f"store/{FRAMES}": store,
    f"store/{TABLE}": store,
    "old_index/index.json": index,
    "old_index/embeddings.npy": index,
    "old_index/clips.parquet": index,
    "compared/results/synthetic--plain--0.json": read_result,
}


@pytest.fixture(scope="module")
def files(commands, inputs, tmp_path_factory):
    work = inputs.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(inputs, work)
    commands.well("evaluate", "knn", "run", folder=work)
    commands.well("compare", "plan.yaml", "--out", "compared", folder=work)
    return Path(shutil.copytree(work, tmp_path_factory.mktemp("flips") / "work"))


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


def test_what_was_written_before_there_were_checksums_is_read(files):
    path = files / "run" / ENCODER_FILE
    found, facts = read_safetensors(path, FORMAT)
    old = path.with_name("old.safetensors")
    save_file(found, old, metadata={"crosscale": json.dumps(facts)})
    again, told = read_safetensors(old, FORMAT)
    assert told == facts
    assert all(torch.equal(found[name], again[name]) for name in found)
