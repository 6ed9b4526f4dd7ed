"""Random tensors from a seed."""

import torch
from torch import Tensor


class Draw:
    """Random tensors on a device, from one seed."""

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.generator = torch.Generator(device).manual_seed(seed)
        self.device = device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Between two numbers."""
        drawn = torch.rand(shape, generator=self.generator, device=self.device)
        return low + (high - low) * drawn

    def normal(self, *shape: int, spread: float = 1.0) -> Tensor:
        """Around zero."""
        return spread * torch.randn(shape, generator=self.generator, device=self.device)

    def chance(self, share: float, *shape: int) -> Tensor:
        """True in a share of the places."""
        return self.uniform(*shape) < share

    def integer(self, low: int, high: int, *shape: int) -> Tensor:
        """From low to high, both included."""
        return torch.randint(low, high + 1, shape, generator=self.generator, device=self.device)

    def factor(self, *shape: int, spread: float) -> Tensor:
        """Ratios around one."""
        return self.normal(*shape, spread=spread).exp()
