"""Opening numpy's `.npy` and `.npz` files: mapped where possible, never with objects in them."""

import math
import mmap
import struct
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.utils.text import shown

# What numpy's and Python's readers raise on damaged bytes; a zip file's flags may ask for passwords
# and methods that are not there.
_DAMAGED = (
    *(ValueError, TypeError, EOFError, SyntaxError, OverflowError, RuntimeError),
    *(zipfile.BadZipFile, struct.error, tokenize.TokenError, zlib.error),
)
# Headers are Python's literals. Where two threads parse some at once, Python 3.11 before its ninth
# release may call one of them broken: github.com/python/cpython/issues/106905.
_PARSING = threading.RLock()
_WORTH_MAPPING = 1 << 20  # bytes; smaller arrays are simply read


def open_array(path: Path | str) -> np.ndarray:
    """Map a `.npy` file into memory, read-only.

    Raises:
        CrosscaleError: when it cannot be read, is cut off or holds Python objects.
    """
    path = Path(path)
    with _explained(path), _PARSING:
        return np.load(path, mmap_mode="r", allow_pickle=False)


def open_arrays(path: Path | str) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file by name.

    Large arrays that are stored uncompressed (`np.savez`) are mapped, so that a file larger than
    memory can be read clip by clip; compressed ones are loaded.

    Raises:
        CrosscaleError: when it cannot be read, is cut off or holds Python objects.
    """
    path = Path(path)
    with _explained(path), zipfile.ZipFile(path) as archive:
        return {
            member.filename.removesuffix(".npy"): _open_member(path, archive, member)
            for member in archive.infolist()
        }


def release(array: np.ndarray) -> None:
    """Give the memory back that a mapped array has taken so far; what is read again is mapped anew.

    Pages of a file count as a process's own until something else needs them.
    """
    mapped = getattr(array, "_mmap", None)  # of numpy's memmap
    if mapped is not None and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis is the innermost, and numbers of an array in a file.

    Args:
        file: at the beginning of what a `.npy` file has; then at the numbers.

    Raises:
        ValueError, EOFError: when there is no array, or one of Python objects.
    """
    is_first = np.lib.format.read_magic(file) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    with _PARSING:
        shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    return shape, fortran, dtype


def names_in(path: Path) -> list[str]:
    """Names of the arrays of an `.npz` file; none when it is no such file, or a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _DAMAGED:
        return []


def _open_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED or member.file_size < _WORTH_MAPPING:
        with archive.open(member) as file:
            shape, fortran, dtype = read_header(file)
            # Checked first: a header may claim more than any memory holds.
            _refuse_other_size(shape, dtype, member.file_size - file.tell())
            values = np.frombuffer(bytearray(file.read()), dtype)  # writable
            return values.reshape(shape, order="F" if fortran else "C")
    with path.open("rb") as file:
        # before the data a zip file repeats the member's header: 26 bytes, the lengths of the
        # name and of the extra field, then these two
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        start = file.seek(name + extra, 1)
        shape, fortran, dtype = read_header(file)
        _refuse_other_size(shape, dtype, member.file_size - (file.tell() - start))
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def _refuse_other_size(shape: tuple[int, ...], dtype: np.dtype[Any], there: int) -> None:
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != there:
        raise ValueError(f"its header tells of {wanted:,} bytes, {there:,} are there")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CrosscaleError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGED as error:
        if "ject arrays cannot" in str(error) or "Python objects" in str(error):
            raise CrosscaleError(
                f"{path.name} holds Python objects, which could run anything when read; they were "
                "not read. Save it again as arrays of numbers or text"
            ) from None
        reason = shown(error, 100) or type(error).__name__
        raise CrosscaleError(
            f"{path.name} is not a whole numpy file ({reason}); fetch or save it again"
        ) from None
