"""Dropout by single bits is dropout."""

import pytest
import torch

from crosscale.encoders.dropout import Dropout

SHAPES = [(7,), (4, 3, 5, 7), (64, 16, 25, 9)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_are_doubled_or_dropped_and_so_are_their_gradients(shape, layout):
    torch.manual_seed(0)
    x = torch.rand(shape) + 1
    x = x.contiguous(memory_format=layout) if x.dim() == 4 else x
    x.requires_grad_()
    out = Dropout(0.5)(x)
    out.sum().backward()
    factor = out / x
    assert set(factor.unique().tolist()) <= {0.0, 2.0}
    assert torch.equal(x.grad, factor)


def test_half_are_dropped_and_neighbours_are_independent():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(256, 4096)) > 0).double()
    assert abs(kept.mean() - 0.5) < 0.002  # four standard deviations
    for axis in (0, 1):
        pairs = kept.narrow(axis, 1, kept.shape[axis] - 1) * kept.narrow(
            axis, 0, kept.shape[axis] - 1
        )
        assert abs(pairs.mean() - 0.25) < 0.002
    assert (kept.mean(dim=0) - 0.5).abs().max() < 0.16  # five standard deviations of 256


def test_the_global_seed_decides():
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(Dropout(0.5)(torch.ones(1000)))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_other_shares_and_evaluation_are_as_in_torch():
    x = torch.ones(10_000)
    torch.manual_seed(0)
    assert abs((Dropout(0.2)(x) > 0).float().mean() - 0.8) < 0.02
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
