"""Times that can be compared: warmed up, and taken in turn so that a slow minute hits all alike."""

import time
from collections.abc import Callable, Mapping

import torch

Work = Callable[[], object]


def fastest_seconds(
    works: Mapping[str, Work], rounds: int, device: torch.device
) -> dict[str, float]:
    """Seconds of each piece of work: the least of several rounds.

    Args:
        works: by name; each is run once before the first round.
        rounds: how often each is timed, one after the other.
        device: waited for before a time is taken.
    """
    for work in works.values():
        work()
    seconds = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            _wait(device)
            begin = time.perf_counter()
            work()
            _wait(device)
            seconds[name] = min(seconds[name], time.perf_counter() - begin)
    return seconds


def matmul_rate(device: torch.device, size: int = 2048) -> float:
    """Operations a second of a square 32-bit matrix multiply."""
    a, b = torch.randn(2, size, size, device=device)
    seconds = fastest_seconds({"multiply": lambda: a @ b}, 10, device)["multiply"]
    return 2 * size**3 / seconds


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
