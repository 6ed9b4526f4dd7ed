import pytest
import torch
from torch import nn

from crosscale.encoders.fused import SPECTRAL_CHANNELS
from crosscale.encoders.readout import Readout
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.skeleton.layout import Layout

FRAMES = 19
# Wide enough at the end that `for_frames` has something to change.
SETTINGS = EncoderSettings(hidden=4, width=SPECTRAL_CHANNELS)


def _trained(scale="joints", settings=SETTINGS, dtype=torch.float32):
    """An encoder whose every number differs from where it started."""
    torch.manual_seed(0)
    encoder = STGCN(Layout.load("ntu25").scale(scale), settings).to(dtype)
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1)
    for _ in range(3):
        x = 1 + 2 * torch.randn(8, 3, FRAMES, _nodes(encoder), 1, dtype=dtype)
        encoder(x).pow(2).mean().backward()
        optimiser.step()
    return encoder.eval()


def _nodes(encoder):
    return encoder.adjacency.shape[-1]


def _relative_error(network, encoder, frames=FRAMES):
    torch.manual_seed(1)
    bodies = torch.randn(5, 3, frames, _nodes(encoder), dtype=encoder.adjacency.dtype)
    with torch.no_grad():
        right = encoder(bodies.unsqueeze(-1))
        return ((network(bodies) - right).norm() / right.norm()).item()


@pytest.mark.parametrize("hops", ["exact", "capped"])
@pytest.mark.parametrize("scale", ["joints", "part10", "body5"])
def test_it_equals_the_encoder_in_evaluation_mode(scale, hops):
    settings = EncoderSettings(hidden=4, width=SPECTRAL_CHANNELS, hops=hops)
    encoder = _trained(scale, settings, torch.float64)
    assert _relative_error(Readout(encoder), encoder) < 1e-9
    assert _relative_error(Readout(encoder).for_frames(FRAMES), encoder) < 1e-9


def test_in_single_precision_it_differs_by_rounding_only():
    encoder = _trained()
    assert _relative_error(Readout(encoder), encoder) < 1e-5
    assert _relative_error(Readout(encoder).for_frames(FRAMES), encoder) < 1e-5


@pytest.mark.parametrize("frames", [1, 2, 5, 16, 50, 300])
def test_it_can_be_made_for_any_number_of_frames(frames):
    encoder = _trained(dtype=torch.float64)
    assert _relative_error(Readout(encoder).for_frames(frames), encoder, frames) < 1e-9


def test_made_for_a_number_of_frames_it_computes_wide_blocks_otherwise():
    fused = Readout(_trained())
    made = fused.for_frames(FRAMES)
    assert isinstance(fused.network.blocks[9].temporal, nn.Conv2d)
    assert not isinstance(made.network.blocks[9].temporal, nn.Conv2d)


def test_nodes_are_read_one_after_the_other_and_their_mean_is_what_was_trained():
    encoder = _trained()
    bodies = torch.randn(5, 3, FRAMES, _nodes(encoder))
    maps, _, _ = encoder.body_maps(bodies.unsqueeze(-1))  # (B, dim, V, T')
    nodes = Readout(encoder, "nodes")
    assert nodes.dim == encoder.dim * _nodes(encoder)
    right = maps.mean(dim=3).transpose(1, 2).flatten(1)
    assert torch.allclose(nodes(bodies), right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layers", "read"), [(3, 3), ("all", 10)])
def test_blocks_are_the_nodes_of_the_last_ones_one_after_the_other(layers, read):
    encoder = _trained()
    bodies = torch.randn(5, 3, FRAMES, _nodes(encoder))
    seen = []
    for block in list(encoder.blocks)[-read:]:
        block.register_forward_hook(lambda _block, _inputs, maps: seen.append(maps.clone()))
    encoder(bodies.unsqueeze(-1))
    right = [maps.mean(dim=3).transpose(1, 2).flatten(1) for maps in seen]  # of (B, C, V, T')
    blocks = Readout(encoder, "nodes", layers)
    assert blocks.parts == tuple(part.shape[1] for part in right)
    assert blocks.dim == sum(blocks.parts)
    assert torch.allclose(blocks(bodies), torch.cat(right, dim=1), rtol=1e-4, atol=1e-5)


def test_it_neither_changes_nor_follows_the_encoder():
    encoder = _trained().train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    fused = Readout(encoder)
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())
    bodies = torch.randn(2, 3, FRAMES, _nodes(encoder))
    features = fused(bodies)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()
    assert torch.equal(fused(bodies), features)
    assert not any(parameter.requires_grad for parameter in fused.parameters())
