"""MiniRocket: random convolutions over time, of which nothing is trained.

84 kernels of nine taps, six of weight -1 and three of weight 2, each over a few of the channels
(nodes and coordinates) and spread over time as far as the clip allows. A feature is the share of
frames in which a kernel's answer exceeds a bias.

Source: Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost) deterministic transform for
time series classification" (KDD 2021), in its form for several channels. Two things differ. A ramp
takes the place of the step at the bias, so that a feature does not jump where another engine rounds
otherwise. And the biases are quantiles of answers to random walks, not to clips of the data: the
features then are the same everywhere, and better (see docs/experiments.md).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter, functional

from crosscale.encoders.base import Encoder, Layer
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Graph

TAPS = 9
HEAVY = 3  # taps of weight 2; the others have -1, so that a still body's answer is 0
KERNELS = [list(taps) for taps in combinations(range(TAPS), HEAVY)]
MOST_CHANNELS = 9  # of one kernel
MOST_DILATIONS = 32  # as published
RAMP = 0.01  # metres over which an answer passes from below a bias to above it
WALKS, STEP = 64, 0.05  # random walks that give the biases, and metres from frame to frame


@dataclass(frozen=True)
class RocketSettings:
    """How large the encoder is.

    Attributes:
        features: about how many numbers a clip gets: as many as 84 kernels share evenly.
        frames: of a clip, from which the spreads of the kernels follow; other clips need to be
            about as long.
        seed: of which channels each kernel sees, and of the walks that give the biases.
    """

    features: int = 10_000
    frames: int = 48
    seed: int = 0


class Rocket(Encoder):
    """MiniRocket: shares of frames in which fixed kernels exceed biases; nothing is trained.

    Attributes:
        channels: (S, 84, C V) which channels each kernel of each of S spreads sees, 0 or 1.
        bias: (dim,) metres, by spread, then kernel.
    """

    Settings = RocketSettings
    channels: Tensor
    taps: Tensor

    def __init__(self, graph: Graph, settings: RocketSettings, channels: int = 3) -> None:
        each = settings.features // len(KERNELS)
        if each < 1 or settings.frames < TAPS:
            raise CrosscaleError(
                f"encoder.features must be {len(KERNELS)} or more and encoder.frames {TAPS} or "
                f"more, not {settings.features} and {settings.frames}"
            )
        super().__init__(graph, settings, dim=each * len(KERNELS))
        self.spreads = spreads(settings.frames, each)
        rng = np.random.default_rng(settings.seed)
        inputs = channels * len(graph.names)
        self.register_buffer("channels", _drawn_channels(rng, len(self.spreads), inputs))
        self.register_buffer("taps", _taps(), persistent=False)
        steps = torch.from_numpy(rng.normal(0, STEP, (WALKS, settings.frames, inputs))).float()
        walks = steps.cumsum(dim=1).unflatten(2, (channels, -1)).transpose(1, 2)
        self.bias = Parameter(self._quantiles(walks, rng), requires_grad=False)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The only one; nodes are channels, so one is left."""
        return (Layer("shares", self.dim, nodes=1),)

    def forward_features(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Tensor:
        """Bodies (B, C, T, V) to (B, dim, 1, 1).

        Raises:
            CrosscaleError: when they have too few frames for the widest kernels.
        """
        if token_mask is not None:
            x = x * token_mask.unsqueeze(1)
        shares, start = [], 0
        for number, (spread, biases) in enumerate(self.spreads.items()):
            answers = self._weights(number).to(x.dtype) @ self._windows(x, spread)  # (B, 84, T)
            end, reach = start + len(KERNELS) * biases, spread * (TAPS // 2)
            bias = self.bias[start:end].view(len(KERNELS), biases, 1)
            # Every other kernel goes beyond both ends of a clip, where there are zeros.
            beyond, within = slice(number % 2, None, 2), slice(1 - number % 2, None, 2)
            both = [
                _shares(answers[:, beyond], bias[beyond]),
                _shares(answers[:, within, reach:-reach], bias[within]),
            ]
            shares.append(torch.stack(both[:: 1 - 2 * (number % 2)], dim=2).flatten(1))
            start = end
        return torch.cat(shares, dim=1)[:, :, None, None]

    def _quantiles(self, bodies: Tensor, rng: np.random.Generator) -> Tensor:
        """Biases (dim,): those of a kernel are quantiles of its answers to one of the bodies."""
        levels = torch.arange(1, self.dim + 1, dtype=torch.float64) * ((5**0.5 + 1) / 2) % 1
        start, found = 0, []
        for number, (spread, biases) in enumerate(self.spreads.items()):
            rows = torch.from_numpy(rng.integers(len(bodies), size=len(KERNELS)))
            windows = self._windows(bodies[rows], spread)  # (84, 9 C V, T)
            answers = (self._weights(number).unsqueeze(1) @ windows).squeeze(1).double()
            end = start + len(KERNELS) * biases
            wanted = levels[start:end].view(len(KERNELS), biases)
            found += [answers[k].quantile(wanted[k]) for k in range(len(KERNELS))]
            start = end
        return torch.cat(found).float()

    def _weights(self, number: int) -> Tensor:
        """Of the kernels of one spread: (84, 9 C V), by tap, then channel."""
        return (self.taps.unsqueeze(2) * self.channels[number].unsqueeze(1)).flatten(1)

    def _windows(self, x: Tensor, spread: int) -> Tensor:
        """What the taps see of bodies (B, C, T, V) around each frame: (B, 9 C V, T)."""
        frames, reach = x.shape[2], spread * (TAPS // 2)
        if frames <= 2 * reach:
            raise CrosscaleError(
                f"clips of {frames} frames are too short for an encoder of "
                f"{self.settings.frames}: it needs more than {2 * reach}"
            )
        series = functional.pad(x.transpose(2, 3).flatten(1, 2), (reach, reach))
        return torch.cat([series[..., t * spread : t * spread + frames] for t in range(TAPS)], 1)


def spreads(frames: int, each: int) -> dict[int, int]:
    """How far apart the taps of kernels are, in frames, and how many biases each kernel has there.

    Args:
        frames: of a clip.
        each: features of a kernel, over all spreads.
    """
    most = min(each, MOST_DILATIONS)
    exponents = np.linspace(0, np.log2((frames - 1) / (TAPS - 1)), most)
    values, counts = np.unique((2**exponents).astype(int), return_counts=True)
    counts = (counts * (each / most)).astype(int)
    counts[: each - counts.sum()] += 1
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _drawn_channels(rng: np.random.Generator, spreads: int, inputs: int) -> Tensor:
    """Which channels each kernel sees, few more often than many: (spreads, 84, inputs)."""
    seen = torch.zeros(spreads, len(KERNELS), inputs)
    largest = np.log2(min(inputs, MOST_CHANNELS) + 1)
    for row in seen.flatten(0, 1):
        row[rng.choice(inputs, int(2 ** rng.uniform(0, largest)), replace=False)] = 1
    return seen


def _taps() -> Tensor:
    """Weights (84, 9)."""
    weights = torch.full((len(KERNELS), TAPS), -1.0)
    for row, heavy in zip(weights, KERNELS, strict=True):
        row[heavy] = 2.0
    return weights


def _shares(answers: Tensor, bias: Tensor) -> Tensor:
    """(B, K, T) and (K, n, 1) to (B, K, n): the shares of frames above each bias."""
    above = (answers / RAMP + 0.5).unsqueeze(2) - bias / RAMP
    return above.clamp_(0, 1).mean(dim=3)
