"""Tensors, and facts about them, in one safetensors file that tells when it has changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from crosscale.errors import BadCheckpoint
from crosscale.utils.files import atomic_path
from crosscale.utils.formats import CHECKSUM, canonical, refuse_other_version


def write_safetensors(path: Path, tensors: dict[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts whole or not at all, as `read_safetensors` reads them.

    Raises:
        CrosscaleError: when the file cannot be written (full disk, read-only folder).
    """
    # In one entry: the library writes several in any order.
    text = json.dumps({**facts, CHECKSUM: _checksum(facts, tensors)})
    # The library's own writing to a file leaves another one behind when it is killed.
    data = save(tensors, metadata={"crosscale": text})
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_safetensors(
    path: Path, expected_format: str, *older: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of one of this package's files.

    Files from before there were checksums have none, and are read as they are.

    Args:
        path: the file.
        expected_format: that is written today.
        older: further formats that the caller understands; the facts tell which `format` it is.

    Raises:
        BadCheckpoint: when it is damaged, or another program's.
        CrosscaleError: when another version of this program wrote it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("crosscale", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error}") from error
    if facts.get("format") not in older:
        refuse_other_version(path, facts.get("format"), expected_format, "make it again")
    if facts.get("format") not in (expected_format, *older):
        raise BadCheckpoint(
            f"{path} is not a '{expected_format}' file but '{facts.get('format', 'unknown')}'"
        )
    checksum = facts.pop(CHECKSUM, None)
    if checksum is not None and checksum != _checksum(facts, tensors):
        raise BadCheckpoint(
            f"{path} has changed since it was written (its checksum differs); copy or make it again"
        )
    return tensors, facts


def _checksum(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of facts and of every tensor's name, form and numbers."""
    digest = hashlib.sha256(canonical(facts))
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
