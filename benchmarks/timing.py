"""Times that can be compared: warmed up, and taken in turn so that a slow minute hits all alike."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from crosscale.encoders.engines import Engine, available, build
from crosscale.utils.choices import EngineName
from crosscale.utils.memory import keep_freed_memory, set_malloc

Work = Callable[[], object]
# What glibc's thresholds grow to by themselves once large blocks have been freed.
MMAP_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -4, -3, -1
DEFAULT = {MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20, TRIM_THRESHOLD: 64 << 20}


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


@contextmanager
def default_memory() -> Iterator[None]:
    """Hand out memory within the block as the C library does without `keep_freed_memory`."""
    set_malloc(DEFAULT)
    try:
        yield
    finally:
        keep_freed_memory()


def fastest(network: nn.Module, sample: Tensor) -> tuple[EngineName, Engine, dict[EngineName, str]]:
    """Build every engine and measure it on a sample.

    Args:
        network: as `build` takes it.
        sample: bodies (B, C, T, V) float32 on its device, a few hundred.

    Returns:
        The fastest one's name, itself, and for each engine its rate, or why it was left out.
    """
    engines: dict[EngineName, tuple[float, Engine]] = {}
    told: dict[EngineName, str] = {}
    for name in available(sample.device):
        try:
            engine = build(name, network, sample)
            seconds = fastest_seconds({name: partial(engine, sample)}, 3, sample.device)[name]
        except Exception as error:  # whatever a foreign compiler raises
            told[name] = f"left out: {str(error).strip().splitlines()[0]}"
            continue
        engines[name] = (seconds, engine)
        told[name] = f"{len(sample) / seconds:.0f} bodies/s"
    best = min(engines, key=lambda name: engines[name][0])
    return best, engines[best][1], told


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
