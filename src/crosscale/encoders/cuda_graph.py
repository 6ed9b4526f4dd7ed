"""An encoder's kernels recorded once and started together from then on.

A step of these small networks is some thousand kernels, and a GPU's host takes longer to start each
than the GPU to run it. Source: CUDA graphs, as `torch.cuda.make_graphed_callables` has them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from crosscale.encoders.base import Encoder

# A recording keeps what it computes; others are made as long as this share of memory is free.
FREE = 0.4
WARM_UP = 3


def record(module: nn.Module) -> None:
    """Let each encoder inside a module on a GPU be recorded as it trains.

    The kernels are the same, so what is computed is too. Not for several processes, whose
    normalisation may wait for others, nor with `recompute`.
    """
    for part in module.modules():
        if isinstance(part, Encoder) and part.static:
            part.recorder = Recorder(part)


class _Stack(nn.Module):
    """What is recorded: all that depends on nothing but the number of bodies."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *args: Tensor) -> Tensor:
        """As `Encoder.forward_features`."""
        return self.encoder.forward_features(*args)


class Recorder:
    """Replays `Encoder.forward_features`, recorded for each number of bodies that is met.

    What a call gives is overwritten by the next one with as many bodies: a batch's forward and
    backward pass come before the next forward pass.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._runs: dict[object, Callable[..., Tensor]] = {}

    def __call__(self, *args: Tensor) -> Tensor:
        """Bodies (B, C, T, V) and which edges are kept, to maps (B, dim, V', T')."""
        shapes = tuple(arg.shape for arg in args)
        grad, mixed = torch.is_grad_enabled(), torch.is_autocast_enabled("cuda")
        key = (shapes, grad, mixed and torch.get_autocast_dtype("cuda"))
        run = self._runs.get(key)
        if run is None:
            free, total = torch.cuda.mem_get_info(args[0].device)
            if free < FREE * total or len(args[0]) == 0:
                return self._encoder.forward_features(*args)
            run = self._runs[key] = self._record(grad, mixed, args)
        return run(*args)

    def _record(self, grad: bool, mixed: bool, args: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        stack = _Stack(self._encoder)
        samples = tuple(arg.clone() for arg in args)
        # Weights cast outside of the recording would stay as they were.
        casts = torch.autocast(
            "cuda", torch.get_autocast_dtype("cuda"), enabled=mixed, cache_enabled=False
        )
        with casts, _left_alone(stack, args[0].device):
            if grad:
                return cast(
                    Callable[..., Tensor], torch.cuda.make_graphed_callables(stack, samples)
                )
            return _without_gradients(stack, samples)


def _without_gradients(
    stack: Callable[..., Tensor], samples: tuple[Tensor, ...]
) -> Callable[..., Tensor]:
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            stack(*samples)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        maps = stack(*samples)

    def replay(*args: Tensor) -> Tensor:
        for sample, arg in zip(samples, args, strict=True):
            sample.copy_(arg)
        graph.replay()
        return maps

    return replay


@contextmanager
def _left_alone(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Statistics and random numbers as they were, whatever is run to warm up."""
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    state = torch.cuda.get_rng_state(device)
    try:
        yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
        torch.cuda.set_rng_state(state, device)
