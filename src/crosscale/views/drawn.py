"""Something random that can be told where to start."""

import torch

from crosscale.errors import CrosscaleError


class Drawn:
    """Owns a generator on the device of whatever it is applied to.

    The same seed gives the same draws on one kind of device.
    """

    def __init__(self) -> None:
        self._seed = 0
        self._generator: torch.Generator | None = None
        self._device: torch.device | None = None

    def seed(self, seed: int) -> None:
        """Start the draws afresh from `seed`."""
        self._seed = seed
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
        """Uniform draws between `low` and `high`, on the device and in the type of `like`."""
        draws = torch.rand(
            shape, generator=self.generator(like.device), device=like.device, dtype=like.dtype
        )
        return low + (high - low) * draws


class Change(Drawn):
    """A random change of a batch, drawn for each sample by itself."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Change clips (N, C, T, V, M)."""
        raise NotImplementedError


def checked_chance(value: float, name: str) -> float:
    """The chance itself.

    Raises:
        CrosscaleError: when it is none, naming the setting.
    """
    if not 0 <= value <= 1:
        raise CrosscaleError(f"{name} is a chance, from 0 to 1, and is {value}")
    return value
