"""Files that the package writes and reads, of every kind, and what is read of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from crosscale.data.store import ClipStore
from crosscale.data.store_files import DESCRIPTION, FRAMES, TABLE, describe
from crosscale.evaluation.comparison.results import read_result
from crosscale.evaluation.features import Features
from crosscale.inference import head_file
from crosscale.inference.index import Index
from crosscale.models.checkpoint import ENCODER_FILE, FORMAT, OLD_FORMAT
from crosscale.models.folder import read_results
from crosscale.training import state as checkpoint
from crosscale.utils.tensors import read_safetensors


def tensors(expected_format: str, *older: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        found, facts = read_safetensors(path, expected_format, *older)
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


ENCODER = f"run/{ENCODER_FILE}"
TUNED = f"run/finetune/{ENCODER_FILE}"
LAST = f"run/{checkpoint.LAST}"
# Those that say which version of their format they have.
NAMED: dict[str, Callable[[Path], Any]] = {
    ENCODER: tensors(FORMAT, OLD_FORMAT),
    LAST: tensors(checkpoint.FORMAT, checkpoint.OLD_FORMAT),
    "run/features-*.npz": lambda path: Features.load(path).fingerprint(),
    "run/knn/results.json": lambda path: known(read_results(path), "title", "about", "evaluations"),
    TUNED: tensors(FORMAT, OLD_FORMAT),
    "named.head": tensors(head_file.FORMAT),
    f"store/{DESCRIPTION}": store,
    "old_index/index.json": index,
    "compared/results/synthetic--plain--0.json": read_result,
}
FILES = NAMED | {
    f"store/{FRAMES}": store,
    f"store/{TABLE}": store,
    "old_index/embeddings.npy": index,
    "old_index/clips.parquet": index,
}
