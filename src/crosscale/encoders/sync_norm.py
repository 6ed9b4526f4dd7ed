"""Batch normalisation over the clips of all processes, also on processors.

PyTorch's own, `nn.SyncBatchNorm`, runs on GPUs only.
"""

from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SynchronisedNorm(_BatchNorm):
    """Takes its statistics over what all processes see of a batch; evaluated as any other."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions after the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same shape."""
        if not self.training:
            return super().forward(x)
        mean, variance, count = _statistics(x)
        self._remember(mean, variance * count / (count - 1).clamp(min=1))
        factor = cast(Tensor, self.weight) * torch.rsqrt(variance + self.eps)
        shape = (1, -1, *[1] * (x.dim() - 2))
        shift = cast(Tensor, self.bias) - mean * factor
        return (x * factor.view(shape) + shift.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        cast(Tensor, self.num_batches_tracked).add_(1)
        rate = cast(float, self.momentum)
        cast(Tensor, self.running_mean).lerp_(mean.detach(), rate)
        cast(Tensor, self.running_var).lerp_(variance.detach(), rate)


def synchronise(module: nn.Module) -> None:
    """Let every batch normalisation inside a module be one over all processes, its weights kept."""
    for name, part in module.named_children():
        if isinstance(part, _BatchNorm):
            shared = SynchronisedNorm(part.num_features, part.eps, part.momentum)
            shared.weight, shared.bias = part.weight, part.bias
            shared.running_mean, shared.running_var = part.running_mean, part.running_var
            shared.num_batches_tracked = part.num_batches_tracked
            shared.train(part.training)
            setattr(module, name, shared)
        else:
            synchronise(part)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (C,), variance (C,) and the number of values of each channel, over all processes."""
    own = x.float().reshape(*x.shape[:2], -1)  # (B, C, values), of vectors (B, C) too
    number = own.new_full((1,), own.shape[0] * own.shape[2])
    mean = own.mean(dim=(0, 2))
    spread = (own - mean[:, None]).square().sum(dim=(0, 2))
    parts = cast(Tensor, _Gathered.apply(torch.cat([number, mean, spread])))
    numbers, means, spreads = parts.split([1, len(mean), len(mean)], dim=1)
    count = numbers.sum()
    whole = (numbers * means).sum(dim=0) / count
    around = (spreads + numbers * (means - whole).square()).sum(dim=0)
    return whole, around / count, count


class _Gathered(torch.autograd.Function):
    """(n,) of this process to (processes, n); the gradients of all of them come back."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, own.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total[distributed.get_rank()]
