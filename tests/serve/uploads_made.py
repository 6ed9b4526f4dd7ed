"""Files to upload, and how to send them."""

import io
import zipfile
from typing import Any

import numpy as np


def npz(coordinates: np.ndarray, **more: Any) -> bytes:
    """A plain npz file of one clip."""
    file = io.BytesIO()
    np.savez(file, coordinates=coordinates, **more)
    return file.getvalue()


def sent(content: bytes, name: str = "take.npz") -> list[tuple[str, tuple[str, bytes]]]:
    """One file, as the client takes it."""
    return [("files", (name, content))]


def zipped(**members: bytes) -> bytes:
    """A compressed archive of arrays, whatever is in them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def array_of(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """An array that claims a shape, whatever it has."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content
