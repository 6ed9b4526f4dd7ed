"""Freed memory is kept, so that the next tensor costs no page faults, or returned, to have less."""

import resource
import subprocess
import sys

import pytest

from crosscale.utils.memory import keep_freed_memory

FAULTS = """
import resource, torch
from crosscale.utils.memory import keep_freed_memory
{before}
def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(12, 1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start
faults()  # holes form that are large enough for an aligned block
print(faults())
"""


def _faults(before: str) -> int:
    told = subprocess.run(
        [sys.executable, "-c", FAULTS.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(told.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_freed_memory_is_handed_out_again_without_page_faults():
    pages = 20 * 48 * (1 << 20) // resource.getpagesize()
    assert _faults("keep_freed_memory()") < pages // 100
    assert _faults("") > pages // 2


HOLES = """
import torch
from crosscale.utils.memory import keep_freed_memory, return_freed_memory
keep_freed_memory()
{before}
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
before = resident()
tensors = [torch.ones(1 << 19) for _ in range(100)]  # 2 MB each
full = resident() - before
del tensors[::2]
print(round(100 * (resident() - before) / full))
"""


def _held(before: str) -> int:
    """Per cent of the memory that is still the process's when every other tensor is gone."""
    command = [sys.executable, "-c", HOLES.format(before=before)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_returned_memory_leaves_no_holes():
    assert _held("return_freed_memory()") < 60
    assert _held("") > 90
