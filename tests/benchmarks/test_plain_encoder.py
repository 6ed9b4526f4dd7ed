"""The fast encoder and the plain one are the same function, in values and in gradients."""

import pytest
import torch

from benchmarks.plain import PlainSTGCN
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.models.published import from_published, load_whole
from crosscale.skeleton.layout import Layout

SETTINGS = EncoderSettings(hidden=4, width=24, dropout=0.0, bodies="all")


@pytest.fixture(params=["joints", "part10"])
def pair(request):
    torch.manual_seed(0)
    graph = Layout.load("ntu25").scale(request.param)
    fast = STGCN(graph, SETTINGS)
    plain = PlainSTGCN(fast.adjacency, SETTINGS)
    with torch.no_grad():
        for value in plain.parameters():
            value += 0.1 * torch.randn_like(value)
    load_whole(fast, from_published(plain.state_dict()), "the plain encoder")
    # Rounding hides behind batch norm: biases before it have no gradient but that of rounding.
    return fast.double(), plain.double(), len(graph.names)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cut", [None, "one", "each"])
def test_outputs_and_gradients_agree(pair, training, cut):
    fast, plain, nodes = pair
    x = torch.randn(4, 3, 16, nodes, 2).double()
    rows = {"one": 1, "each": 4}
    keep = None if cut is None else (torch.rand(rows[cut], nodes, nodes) > 0.2).double()
    slope = torch.randn(4, 24).double()
    found = []
    for encoder in (fast, plain):
        output = encoder.train(training)(x, edge_mask=keep)
        encoder.zero_grad()
        (output * slope).sum().backward()
        gradients = {name: value.grad for name, value in encoder.named_parameters()}
        found.append((output, gradients))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-6, atol=1e-6)
    expected = from_published(found[1][1])
    assert expected.keys() == found[0][1].keys()
    for name, gradient in found[0][1].items():
        size = expected[name].abs().max().clamp(min=1e-3)
        torch.testing.assert_close(gradient / size, expected[name] / size, rtol=0, atol=1e-6)


def test_running_statistics_agree(pair):
    fast, plain, nodes = pair
    x = torch.randn(4, 3, 16, nodes, 2).double()
    for encoder in (fast, plain):
        encoder.train()(x)
    expected = from_published(plain.state_dict())
    for name, value in fast.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-6)
