"""Numbers in a file of MATLAB 5 to 7.2, which later versions write with `-v6` or `-v7`.

The format is told by The MathWorks, "MAT-File Format" (level 5): a header of 128 bytes, then
elements of a type, a length and as many bytes; a matrix is an element of elements (flags, shape,
name, numbers), which may be packed by zlib. scipy's reader takes the types of a damaged file as
places in a table of its own, which ends the whole process; this one looks before it reads.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from crosscale.errors import BadClip
from crosscale.readers.files import faults_named

HEADER = 128
START = 1 << 12  # bytes of a matrix in which flags, shape and name lie
# zlib makes nothing a thousandth; a matrix that claims more is not whole
MOST_PACKED = 1100
MATRIX, PACKED = 14, 15
COMPLEX = 0x800  # a bit of the flags
Order = Literal["<", ">"]
ORDERS: dict[bytes, Order] = {b"IM": "<", b"MI": ">"}
CLASSES: dict[int, np.dtype] = {6: np.dtype(np.float64), 7: np.dtype(np.float32)}
# whole numbers are stored as such where they fit, whatever the class
STORED = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}


def matlab_numbers(path: Path, variable: str) -> np.ndarray:
    """The variable of a file, in double or single precision and the shape that MATLAB gives it.

    Raises:
        BadClip: naming the file, when it is damaged, of another format, or has no such numbers.
    """
    with faults_named(path):
        content = path.read_bytes()
        order = ORDERS.get(content[HEADER - 2 : HEADER])
        if order is None:
            raise BadClip("is not a whole MATLAB file of version 5 to 7")
        if content[HEADER - 4 : HEADER - 2] in (b"\0\2", b"\2\0"):
            raise BadClip("is of MATLAB 7.3; save it with -v7")
        try:
            for packed, matrix in _matrices(content, order):
                numbers = _numbers(matrix, packed, variable, order)
                if numbers is not None:
                    return numbers
        except (struct.error, zlib.error, ValueError) as error:
            raise BadClip(f"is not a whole MATLAB file ({error})") from None
        raise BadClip(f"has no variable {variable}")


def _matrices(content: bytes, order: Order) -> Iterator[tuple[bool, bytes]]:
    """Whether it is packed, and the bytes, of each matrix in a file."""
    at = HEADER
    while at < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        at += 8
        if kind not in (MATRIX, PACKED) or at + size > len(content):
            raise ValueError(f"an element of {size} bytes and type {kind} at byte {at - 8}")
        yield kind == PACKED, content[at : at + size]
        at += size


def _numbers(matrix: bytes, packed: bool, variable: str, order: Order) -> np.ndarray | None:
    """The numbers of a matrix, None for one of another name."""
    start = zlib.decompressobj().decompress(matrix, START) if packed else matrix
    size = len(start)
    if packed:
        kind, size = struct.unpack_from(f"{order}II", start)
        if kind != MATRIX or size > MOST_PACKED * len(matrix):
            raise ValueError(f"a matrix of {size:,} bytes packed into {len(matrix):,}")
    at = 8 * packed
    flags, at = _element(start, at, order)
    shape, at = _element(start, at, order)
    name, at = _element(start, at, order)
    if name.tobytes() != variable.encode():
        return None
    numbers = CLASSES.get(int(flags[0]) & 0xFF) if len(flags) and flags.dtype.kind == "u" else None
    if numbers is None or int(flags[0]) & COMPLEX:
        raise BadClip(f"{variable} is not numbers of double or single precision")
    if shape.dtype.kind != "i" or (shape < 0).any():
        raise ValueError(f"{variable} has no shape")
    if packed:
        start = zlib.decompressobj().decompress(matrix, 8 + size)
    values, _ = _element(start, at, order)
    if math.prod(shape.tolist()) != len(values):
        raise ValueError(f"{len(values)} numbers of shape {tuple(shape.tolist())}")
    return values.reshape(shape, order="F").astype(numbers)


def _element(content: bytes, at: int, order: Order) -> tuple[np.ndarray, int]:
    """The numbers of the element at a place, and where the next one is."""
    kind, size = struct.unpack_from(f"{order}II", content, at)
    start, after = at + 8, at + 8 + size + -size % 8
    if kind >> 16:  # a short one: length and type share a word, and the numbers follow it
        kind, size = kind & 0xFFFF, kind >> 16
        start, after = at + 4, at + 8
    stored = np.dtype(STORED[kind]) if kind in STORED else None
    if stored is None or size % stored.itemsize or not start + size <= min(after, len(content)):
        raise ValueError(f"{size} bytes of type {kind} at byte {at}")
    number = stored.newbyteorder(order)
    return np.frombuffer(content, number, size // stored.itemsize, start), after
