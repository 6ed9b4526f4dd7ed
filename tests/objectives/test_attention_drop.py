"""What stands out is dropped, and nothing else."""

import torch

from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.objectives.attention_drop import attention, drop_energetic
from crosscale.objectives.heads import ProjectionHead
from crosscale.objectives.moco import Network
from crosscale.skeleton.layout import Layout


def test_a_joint_that_stands_out_has_the_most_attention_and_is_dropped_whole():
    hidden = 0.01 * torch.randn(2, 4, 10, 6, generator=torch.Generator().manual_seed(0))
    hidden[:, :, 3] += 5
    energy = attention(hidden)
    assert energy.min() >= torch.sigmoid(torch.tensor(0.5)) - 1e-6
    assert energy.mean(dim=(1, 3)).argmax(dim=1).tolist() == [3, 3]
    out = drop_energetic(hidden)
    assert (out[:, :, 3] == 0).all()
    assert (out[:, :, :3] != 0).float().mean() > 0.9


def test_what_is_left_is_made_larger_by_what_was_dropped():
    hidden = torch.ones(1, 1, 10, 5)
    hidden[:, :, 0] = 100
    out = drop_energetic(hidden)
    torch.testing.assert_close(out[:, :, 1:], torch.full((1, 1, 9, 5), (10 / 9) ** 2))


def test_features_that_do_not_vary_are_left():
    hidden = torch.full((2, 3, 4, 5), 7.0)
    assert torch.equal(drop_energetic(hidden), hidden)


def test_gradients_reach_what_is_left_only():
    hidden = torch.randn(2, 4, 10, 6).requires_grad_()
    out = drop_energetic(hidden)
    out.sum().backward()
    assert torch.equal(hidden.grad != 0, out != 0)


def test_a_network_gives_its_embeddings_and_those_with_a_drop():
    torch.manual_seed(0)
    encoder = STGCN(Layout.load("ntu25").scale("joints"), EncoderSettings(hidden=4, width=16))
    network = Network(encoder, ProjectionHead(16, 8)).eval()
    x, body_mask = torch.randn(3, 3, 16, 25, 2), torch.tensor([[1, 1], [1, 0], [0, 0]]).bool()
    whole, dropped = network.with_drop(x, body_mask, None)
    assert torch.equal(whole, network(x, body_mask, None))
    assert not torch.equal(whole[:2], dropped[:2])
    assert torch.equal(dropped[2], whole[2])  # nobody there, nothing to drop
