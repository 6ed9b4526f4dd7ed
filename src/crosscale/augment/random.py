"""Something random that can be told where to start."""

from typing import NamedTuple

import torch

from crosscale.errors import CrosscaleError


class Part(NamedTuple):
    """Which samples of a batch are at hand, where several processes share it.

    Attributes:
        rows: their places in the whole batch, (n,).
        of: the number of samples of the whole batch.
    """

    rows: torch.Tensor
    of: int


class Random:
    """Owns a generator on the device of whatever it is applied to.

    The same seed gives the same draws on one kind of device. A part of a batch draws what the whole
    batch would draw for it.
    """

    def __init__(self) -> None:
        self._seed = 0
        self._part: Part | None = None
        self._generator: torch.Generator | None = None
        self._device: torch.device | None = None

    def seed(self, seed: int, part: Part | None = None) -> None:
        """Start the draws afresh from `seed`, for a whole batch or a part of one."""
        self._seed = seed
        self._part = part
        self._generator = None

    def generator(self, device: torch.device) -> torch.Generator:
        """The generator for `device`, started from the seed on first use."""
        # Compared with the device asked for: the generator's own may have gained an index.
        if self._generator is None or self._device != device:
            self._device = device
            self._generator = torch.Generator(device=device).manual_seed(self._seed)
        return self._generator

    def uniform(
        self, low: float, high: float, shape: tuple[int, ...], like: torch.Tensor
    ) -> torch.Tensor:
        """Uniform draws between `low` and `high`, on the device and in the type of `like`.

        The first length of the shape is the number of samples.
        """
        draws = torch.rand(
            self._whole(shape),
            generator=self.generator(like.device),
            device=like.device,
            dtype=like.dtype,
        )
        return low + (high - low) * self._own(draws)

    def normal(self, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Standard normal draws, as `uniform` otherwise."""
        draws = torch.randn(
            self._whole(shape),
            generator=self.generator(like.device),
            device=like.device,
            dtype=like.dtype,
        )
        return self._own(draws)

    def integers(
        self, low: int, high: int, shape: tuple[int, ...], device: torch.device
    ) -> torch.Tensor:
        """Whole numbers from `low` to `high`, both included, as `uniform` otherwise."""
        draws = torch.randint(
            low, high + 1, self._whole(shape), generator=self.generator(device), device=device
        )
        return self._own(draws)

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self._part is None else (self._part.of, *shape[1:])

    def _own(self, draws: torch.Tensor) -> torch.Tensor:
        return draws if self._part is None else draws[self._part.rows]


class Constant:
    """A tensor that is copied once to each device and type it is used with.

    A copy made anew for each batch would make a GPU's host wait for all it has started.
    """

    def __init__(self, value: torch.Tensor) -> None:
        self._value = value
        self._copies: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}

    def on(self, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
        """The copy on a device, of its own type where none is named."""
        key = (device, dtype or self._value.dtype)
        if key not in self._copies:
            self._copies[key] = self._value.to(*key)
        return self._copies[key]


class Augmentation(Random):
    """A random change of a batch, drawn for each clip by itself.

    One of one's own is a class made from its strength, which draws by `self.uniform`,
    `self.normal` and `self.integers` only, so that the seed decides:

        class Drift(Augmentation):
            def __init__(self, strength):
                super().__init__()
                self.strength = strength

            def __call__(self, x):
                return x + self.strength * self.normal((len(x), 3, 1, 1, 1), x)

    It is named in the recipe: `augment: {further: [my_file:Drift=0.1]}`.
    """

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Change clips (N, C, T, V, M)."""
        raise NotImplementedError


def checked_probability(value: float, name: str) -> float:
    """The probability itself.

    Raises:
        CrosscaleError: when it is none, naming the setting.
    """
    if not 0 <= value <= 1:
        raise CrosscaleError(f"{name} is a probability, from 0 to 1, and is {value}")
    return value
