"""How the C library hands out memory: kept for the next tensor, or given back each time.

Tensors of a training step are tens of megabytes. By default glibc takes each anew from the system
and gives it back, and the system clears every page of it: measured on two cores with a batch of
128 clips of two bodies, 1.6 million page faults and a third of the step's time.
"""

import ctypes
import sys
from collections.abc import Mapping

# glibc's numbers for `mallopt`, see its manual, "Malloc Tunable Parameters".
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_MEBIBYTE = 1 << 20
_LARGEST = (1 << 31) - 1
_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: _LARGEST}
_RETURNED = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: _MEBIBYTE, _TRIM_THRESHOLD: _MEBIBYTE}


def keep_freed_memory() -> bool:
    """Keep what tensors free for the tensors that follow, until the process ends.

    Returns:
        Whether the C library can do that; elsewhere nothing changes.
    """
    return set_malloc(_KEPT)


def return_freed_memory() -> bool:
    """Return what tensors free to the system at once, until the process ends.

    That is the least memory: of holes between blocks that are kept, much is never used again.

    Returns:
        Whether the C library can do that; elsewhere nothing changes.
    """
    return set_malloc(_RETURNED)


def set_malloc(options: Mapping[int, int]) -> bool:
    """Set options of `mallopt`; returns whether the C library has them."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in options.items())
