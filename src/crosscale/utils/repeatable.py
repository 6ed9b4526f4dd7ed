"""The same seed gives the same bits, on a GPU as well."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def repeatable() -> Iterator[None]:
    """Within the block, leave out those of cuDNN's convolutions that add up in any order.

    All else that training here runs on a GPU gives the same bits each time by itself.
    """
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=cudnn.allow_tf32
    ):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread within the block: how work is split may change its last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def derived_seed(seed: int, name: str) -> int:
    """A seed of 63 bits for one purpose, unrelated to those of other seeds and purposes."""
    high, low = np.random.SeedSequence([seed, *name.encode()]).generate_state(2, np.uint32)
    return int(high >> 1) << 32 | int(low)
