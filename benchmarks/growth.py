"""How the time of a training step grows with what is in it, each over a decade."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.timing import fastest_seconds
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.objectives.heads import ProjectionHead
from crosscale.objectives.losses import infonce_logits
from crosscale.skeleton.layout import Graph

ROUNDS = 2
KEYS = 128


@dataclass(frozen=True)
class Setting:
    """What is in a step; each of it grows in turn.

    Attributes:
        clips: in a batch.
        frames: of a clip.
        joints: of a body.
        bodies: of a clip.
        scales: encoders, each on as many joints as the first.
        queue: negatives.
    """

    clips: int = 16
    frames: int = 32
    joints: int = 20
    bodies: int = 1
    scales: int = 1
    queue: int = 4096


GROWN: dict[str, tuple[int, ...]] = {
    "clips": (8, 16, 32, 80),
    "frames": (16, 32, 64, 160),
    "joints": (10, 20, 40, 100),
    "bodies": (1, 2, 4, 10),
    "scales": (1, 2, 4, 10),
    "queue": (4096, 8192, 16384, 40960),
}


@dataclass(frozen=True)
class Point:
    """The time of a step with one thing grown.

    Attributes:
        grown: what.
        value: to how much.
        seconds: of a step.
        times: compared with the smallest value.
    """

    grown: str
    value: int
    seconds: float
    times: float


def growth(device: torch.device) -> Iterator[Point]:
    """Time a step for every value of every thing that grows."""
    for name, values in GROWN.items():
        steps = {str(value): _step(Setting(**{name: value}), device) for value in values}
        seconds = fastest_seconds(steps, ROUNDS, device)
        for value in values:
            time = seconds[str(value)]
            yield Point(name, value, time, time / seconds[str(values[0])])


def _step(setting: Setting, device: torch.device) -> Callable[[], None]:
    graph, settings = _tree(setting.joints), EncoderSettings()
    networks = [
        torch.nn.Sequential(STGCN(graph, settings), ProjectionHead(settings.width, KEYS)).to(device)
        for _ in range(setting.scales)
    ]
    shape = (setting.clips, 3, setting.frames, setting.joints, setting.bodies)
    x = torch.randn(shape, device=device)
    past = torch.nn.functional.normalize(torch.randn(setting.queue, KEYS, device=device), dim=1)

    def step() -> None:
        for network in networks:
            with torch.no_grad():
                key = network(x)
            logits = infonce_logits(network(x), key, past, 0.07)
            torch.log_softmax(logits, dim=1)[:, 0].mean().neg().backward()

    return step


def _tree(nodes: int) -> Graph:
    """A binary tree: like a body, a few joints around each other."""
    parents = tuple((node - 1) // 2 if node else 0 for node in range(nodes))
    names = tuple(str(node) for node in range(nodes))
    return Graph(names, parents, 0, np.eye(nodes, dtype=np.float32))
