"""Digests of tensors and arrays, as `manifest.json` has them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file


def tensors_of(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file whose names begin with a prefix, which is taken off."""
    found = load_file(path)
    return {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)}


def state_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the tensors, sorted by name: name, type, lengths and bytes of each."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} ".encode() + _form(tensors[name]))
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def values_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """The same without names: equal after tensors were renamed, if no number has changed."""
    each = sorted(
        hashlib.sha256(_form(tensor) + _bytes(tensor)).hexdigest() for tensor in tensors.values()
    )
    return hashlib.sha256("".join(each).encode()).hexdigest()


def array_digest(array: np.ndarray) -> str:
    """SHA-256 over one array's type, lengths and bytes."""
    return state_digest({"": torch.from_numpy(np.ascontiguousarray(array))})


def _form(tensor: torch.Tensor) -> bytes:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {','.join(str(length) for length in tensor.shape)} ".encode()


def _bytes(tensor: torch.Tensor) -> bytes:
    """Little-endian, in the order of the lengths."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
