"""The same seed gives the same bits, on a GPU as well."""

from collections.abc import Iterator
from contextlib import contextmanager

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
