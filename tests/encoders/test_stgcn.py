import pytest
import torch
from safetensors.torch import load_file

from crosscale.encoders.stgcn import STGCN, EncoderSettings, ThinnedConvolution
from crosscale.errors import BadCheckpoint
from crosscale.models.published import from_published, load_whole
from crosscale.skeleton.layout import Layout

SMALL = EncoderSettings(hidden=4, width=16, dropout=0.0)
PUBLISHED = EncoderSettings(hidden=8, width=32, hops="capped", bodies="all")


def _graph(scale="joints", layout="ntu25"):
    return Layout.load(layout).scale(scale)


def _published(golden, name):
    numbers = load_file(golden / f"{name}.safetensors")
    return numbers, {
        k.removeprefix("weights."): v for k, v in numbers.items() if k.startswith("weights.")
    }


@pytest.mark.parametrize(("scale", "name"), [("joints", "stgcn_ntu25"), ("part10", "stgcn_part10")])
def test_published_weights_give_the_published_output(golden, scale, name):
    numbers, weights = _published(golden, name)
    encoder = STGCN(_graph(scale), PUBLISHED).eval()
    load_whole(encoder, from_published(weights), name)
    with torch.no_grad():
        features = encoder(numbers["input"])
    output = features @ weights["fc.weight"].T + weights["fc.bias"]
    torch.testing.assert_close(output, numbers["output"], atol=1e-5, rtol=1e-5)


def test_a_checkpoint_that_lacks_a_weight_is_refused_by_name(golden):
    weights = from_published(_published(golden, "stgcn_ntu25")[1])
    weights["blocks.3.surprise"] = weights.pop("blocks.3.temporal.weight")
    with pytest.raises(
        BadCheckpoint,
        match=r"missing \(1\): blocks\.3\.temporal\.weight\nunexpected \(1\): blocks\.3\.surprise",
    ):
        load_whole(STGCN(_graph(), PUBLISHED), weights, "file")


def test_a_weight_of_another_shape_is_refused_by_name(golden):
    weights = from_published(_published(golden, "stgcn_part10")[1])
    with pytest.raises(BadCheckpoint, match=r"of another shape \(.*\): adjacency \(3, 10, 10\)"):
        load_whole(STGCN(_graph(), PUBLISHED), weights, "file")


def test_the_full_size_encoder_has_the_published_number_of_parameters():
    # METHOD counts the edge weights' adjacency buffers apart and the head with the encoder.
    counts = {
        scale: sum(p.numel() for p in STGCN(_graph(scale), EncoderSettings()).parameters())
        for scale in ("joints", "part10")
    }
    assert counts == {"joints": 821_380, "part10": 805_540}


def test_empty_bodies_change_nothing():
    encoder = STGCN(_graph(), SMALL).eval()
    one = torch.randn(3, 3, 20, 25, 1)
    two = torch.cat([one, torch.zeros_like(one)], dim=4)
    body_mask = torch.tensor([[True, False]] * 3)
    with torch.no_grad():
        torch.testing.assert_close(encoder(two, body_mask), encoder(one))


def test_the_order_of_bodies_changes_nothing():
    encoder = STGCN(_graph(), SMALL).eval()
    x = torch.randn(2, 3, 20, 25, 2)
    with torch.no_grad():
        torch.testing.assert_close(encoder(x), encoder(x.flip(4)), atol=1e-5, rtol=1e-4)


def test_a_clip_without_bodies_gives_finite_features():
    encoder = STGCN(_graph(), SMALL).eval()
    with torch.no_grad():
        features = encoder(
            torch.zeros(2, 3, 20, 25, 2), torch.tensor([[False, False], [True, False]])
        )
    assert torch.isfinite(features).all()


def test_cutting_no_edge_equals_no_cut_and_cutting_one_does_not():
    encoder = STGCN(_graph(), SMALL).eval()
    x = torch.randn(2, 3, 20, 25, 1)
    edge_mask = torch.ones(2, 25, 25)
    with torch.no_grad():
        whole = encoder(x)
        torch.testing.assert_close(encoder(x, edge_mask=edge_mask), whole, atol=1e-5, rtol=1e-4)
        edge_mask[1, 4, 20] = edge_mask[1, 20, 4] = 0
        cut = encoder(x, edge_mask=edge_mask)
    torch.testing.assert_close(cut[0], whole[0], atol=1e-5, rtol=1e-4)
    assert (cut[1] - whole[1]).abs().max() > 1e-4


@pytest.mark.parametrize("frames", [1, 2, 7, 50])
@pytest.mark.parametrize("scale", ["joints", "part10", "body5", "fine"])
def test_any_length_and_any_scale(frames, scale):
    graph = _graph(scale, "kinect20")
    encoder = STGCN(graph, SMALL).eval()
    features = encoder(torch.randn(2, 3, frames, len(graph.names), 1))
    assert features.shape == (2, 16)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_computing_twice_for_less_memory_changes_no_bit(dropout):
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        settings = EncoderSettings(hidden=4, width=16, dropout=dropout)
        encoder = STGCN(Layout.load("kinect20").scale("joints"), settings)
        encoder.recompute = recompute
        x, edge_mask = torch.randn(6, 3, 24, 20, 2), torch.randint(0, 2, (6, 20, 20)).float()
        for step in range(2):
            torch.manual_seed(step)
            encoder(x, edge_mask=edge_mask).square().sum().backward()
        gradients = {name: p.grad for name, p in encoder.named_parameters()}
        found.append(gradients | encoder.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert all(norm.momentum == 0.1 for norm in encoder.modules() if hasattr(norm, "momentum"))


@pytest.mark.parametrize("channels", [2, 7, 8, 9])
@pytest.mark.parametrize(("nodes", "frames"), [(25, 50), (33, 32)])
def test_every_other_frame_of_few_channels_is_mixed_as_a_matrix_multiply_would(
    channels, nodes, frames
):
    # Repeated, since what writes past its memory is not found out at once.
    for seed in range(20):
        torch.manual_seed(seed)
        around = ThinnedConvolution(channels, 2 * channels, 1, stride=(1, 2))
        x = torch.randn(16, channels, nodes, frames).contiguous(memory_format=torch.channels_last)
        x.requires_grad_()
        slow = torch.einsum("oi,nivt->novt", around.weight[:, :, 0, 0], x[..., ::2])
        slow = slow + around.bias[:, None, None]
        inputs = (x, around.weight, around.bias)
        for ours, theirs in zip(
            torch.autograd.grad(around(x).square().sum(), inputs),
            torch.autograd.grad(slow.square().sum(), inputs),
            strict=True,
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-2)
