"""Work in several processes: in order, not far ahead, and told of when a process is lost."""

import os
from collections.abc import Iterator

import pytest

from crosscale.errors import CrosscaleError
from crosscale.utils.processes import WAITING, in_processes


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_pieces_are_taken_as_they_are_needed(workers: int) -> None:
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(-30, 0):
            taken.append(number)
            yield number

    results = in_processes(abs, pieces(), workers)
    assert next(results) == 30
    assert len(taken) <= workers * WAITING
    assert list(results) == list(range(29, 0, -1))


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(CrosscaleError, match="ended from outside"):
        list(in_processes(os._exit, [1], 2))
