"""The share of a step in which a GPU computes."""

import pytest
import torch

from benchmarks.feeding import covered, feeding
from benchmarks.works import SIZES


@pytest.mark.parametrize(
    ("spans", "length"),
    [
        ([], 0.0),
        ([(1, 3)], 2.0),
        ([(5, 6), (1, 3)], 3.0),
        ([(1, 5), (2, 3), (4, 7)], 6.0),
        ([(1, 9), (2, 3), (4, 5)], 8.0),
    ],
)
def test_kernels_that_run_at_once_count_once(spans, length):
    assert covered(spans) == length


def test_on_a_processor_there_is_nothing_to_feed():
    assert list(feeding(SIZES["small"], torch.device("cpu"), 1e9)) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_busy_for_a_share_of_the_step():
    (row,) = feeding(SIZES["small"], torch.device("cuda"), 1e9)
    assert 0 < row.rate <= 100
