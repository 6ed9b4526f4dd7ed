"""Recorded kernels compute what those started one by one do."""

import copy

import pytest
import torch

from crosscale.encoders.cuda_graph import record
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.skeleton.layout import Layout

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
STEPS = 4


def trained(encoder: STGCN, mixed: bool) -> list[torch.Tensor]:
    """What a few steps give: features with and without gradients, then the weights."""
    draws = torch.Generator().manual_seed(0)
    seen = []
    for step in range(STEPS):
        torch.manual_seed(step)
        x = torch.randn(6, 3, 16, 25, 2, generator=draws).cuda()
        body_mask = torch.ones(6, 2, dtype=torch.bool)
        body_mask[: step % 2, 1] = False  # more than one number of bodies, and each twice
        edge_mask = (torch.rand(6, 25, 25, generator=draws) > 0.1).float().cuda()
        x *= body_mask.cuda()[:, None, None, None]
        with torch.autocast("cuda", torch.bfloat16, enabled=mixed):
            with torch.no_grad():
                seen.append(encoder(x, body_mask.cuda()).clone())
            features = encoder(x, body_mask.cuda(), edge_mask)
        seen.append(features.detach().clone())
        features.square().sum().backward()
        with torch.no_grad():
            for weight in encoder.parameters():
                weight -= 1e-3 * weight.grad
                weight.grad = None
    return [*seen, *encoder.state_dict().values()]


@pytest.mark.parametrize("mixed", [False, True])
def test_replayed_steps_equal_those_started_kernel_by_kernel(mixed):
    torch.manual_seed(0)
    encoder = STGCN(Layout.load("ntu25").scale("joints"), EncoderSettings()).cuda()
    recorded = copy.deepcopy(encoder)
    record(recorded)
    for ours, theirs in zip(trained(recorded, mixed), trained(encoder, mixed), strict=True):
        # Convolutions in 10-bit fractions (TF32), and steps between: an H200 differs by 0.002.
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=5e-3)
