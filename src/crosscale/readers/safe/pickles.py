"""Reading the pickles of others without running what may be hidden in them.

A pickle is a program: unpickling one from a stranger may do anything. The data sets of this field
come as pickles all the same, so this reader admits what data are made of (lists, tuples, dicts,
sets, numbers, strings, numpy arrays of these) and refuses every other name before it is looked up.

Admitting numpy's own functions would not be safe: `numpy.ndarray` makes an array of Python objects
from any bytes, that is, of pointers to anywhere, and a pickled dtype may lie about what it holds.
Stand-ins take their place that check what they are given.
"""

import math
import pickle
import pickletools
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.utils.text import shown

# The unpickler makes a table as long as the largest place that a pickle names in it, so that a file
# of a few bytes could take all memory.
_PLACES = ("PUT", "BINPUT", "LONG_BINPUT")
_LENGTH = "FRAME"


def load_pickle(path: Path | str) -> Any:
    """Read a pickle that holds plain containers, numbers, strings and numpy arrays.

    Args:
        path: a file of any pickle protocol, written by Python 2 or 3.

    Raises:
        CrosscaleError: when it cannot be read, is damaged or holds anything else; nothing of it
            has been run then.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return unpickled(b"", path.name)
            # A file would be asked for all that is claimed, mapped memory gives what there is.
            with mmap(file.fileno(), 0, access=ACCESS_READ) as held:
                return unpickled(held, path.name)
    except OSError as error:
        raise CrosscaleError(f"cannot read {path}: {error.strerror or error}") from error


def unpickled(content: bytes | mmap, name: str) -> Any:
    """As `load_pickle`, of a pickle in memory.

    Args:
        content: the pickle.
        name: what to call it in messages.
    """
    held = BytesIO(content) if isinstance(content, bytes) else cast(IO[bytes], content)
    try:
        _refuse_hollow(held, len(content))
        held.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy remarks on how its older versions wrote
            return _PlainUnpickler(held, encoding="latin1").load()
    except _Forbidden as error:
        raise CrosscaleError(
            f"{name} holds {shown(error, 100)}, which is not plain data (lists, dicts, "
            "numbers, text, numpy arrays); it was not run. Save it again as plain data or as npz"
        ) from None
    except Exception as error:  # a damaged pickle fails in any way that an interpreter can
        reason = shown(error, 100) or type(error).__name__
        raise CrosscaleError(
            f"{name} is not a whole pickle ({reason}); fetch or save it again"
        ) from None


def _refuse_hollow(held: IO[bytes], size: int) -> None:
    hollow = MemoryError("it claims more than its file holds")
    try:
        for opcode, argument, _ in pickletools.genops(held):
            if opcode.name in (*_PLACES, _LENGTH) and (argument or 0) > size:
                raise hollow
    except (ValueError, OverflowError) as error:
        if "remain" in str(error):  # the unpickler would first ask for all that is claimed
            raise hollow from None
        # all other damage is told by the unpickler, which knows more old forms


class _Forbidden(Exception):
    """A pickle asks for something that is not data."""


class _Dtype:
    """What a pickle says about the numbers in an array; only plain ones become a dtype."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not re.fullmatch(r"[biufc?]\d{0,2}|[SU]\d{1,9}|O8?", str(code)):
            raise _Forbidden(f"an array of dtype {code!s:.40}")
        self.plain = np.dtype(code)

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, order, *structure = state[:5]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in structure):
            raise _Forbidden("an array of records")
        if order in "<>":
            self.plain = self.plain.newbyteorder(order)

    def array(self, data: bytes | str, shape: Sequence[int]) -> np.ndarray:
        """Numbers or strings from their bytes, (*shape)."""
        if self.plain.hasobject:
            raise _Forbidden("an array of objects given as bytes")
        raw = data.encode("latin1") if isinstance(data, str) else data
        count = _count(shape)
        if self.plain.itemsize * count != len(raw):
            raise ValueError(f"{len(raw)} bytes for an array of {count} items")
        return np.ndarray(tuple(shape), self.plain, raw)


class _Array(np.ndarray):
    """An array that takes its numbers from a pickle, after a look at them."""

    def __setstate__(self, state: Sequence[Any]) -> None:
        version, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise _Forbidden("an array of unknown dtype")
        if not dtype.plain.hasobject:
            data = dtype.array(data, shape).tobytes()
        elif not isinstance(data, list) or len(data) != _count(shape):
            raise _Forbidden("an array of objects without its objects")
        super().__setstate__((version, shape, dtype.plain, fortran, data))


def _count(shape: Sequence[int]) -> int:
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"shape {shape}")
    return math.prod(shape)


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """Stands for `numpy.core.multiarray._reconstruct`: an empty array, filled by its state."""
    if kind is not _NDARRAY:
        raise _Forbidden("an array of an unknown kind")
    return np.empty(0, np.int8).view(_Array)


def _scalar(dtype: _Dtype, data: Any) -> Any:
    """Stands for `numpy.core.multiarray.scalar`."""
    return dtype.array(data, ())[()]


def _from_buffer(
    buffer: Any, dtype: _Dtype, shape: Sequence[int], order: str, axes: Any = None
) -> np.ndarray:
    """Stands for `numpy.core.numeric._frombuffer`, by which protocol 5 writes arrays."""
    if order == "K" and axes is not None:
        return dtype.array(bytes(buffer), shape).transpose(axes)
    if order == "F":
        return dtype.array(bytes(buffer), tuple(shape)[::-1]).T
    return dtype.array(bytes(buffer), shape)


def _no_bytes() -> bytes:
    """Stands for `bytes`, which protocols 0 to 2 call without arguments for an empty string."""
    return b""


_NDARRAY = "numpy.ndarray"  # only ever named, never called

_ADMITTED: Mapping[str, Any] = {
    "_codecs.encode": str.encode,  # how protocols 0 to 2 write bytes
    "collections.OrderedDict": OrderedDict,
    "builtins.bytes": _no_bytes,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.complex": complex,
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _Dtype,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _from_buffer,
}


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler to which only the names in `_ADMITTED` exist."""

    def find_class(self, module: str, name: str) -> Any:
        current = module.replace("__builtin__", "builtins").replace("numpy.core.", "numpy._core.")
        wanted = f"{current}.{name}"
        if wanted not in _ADMITTED:
            raise _Forbidden(f"{module}.{name}")
        return _ADMITTED[wanted]
