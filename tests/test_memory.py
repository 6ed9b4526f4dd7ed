"""Freed memory is kept: the next tensor of that size costs no page faults."""

import resource
import subprocess
import sys

import pytest

from crosscale.memory import keep_freed_memory

FAULTS = """
import resource, torch
from crosscale.memory import keep_freed_memory
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
