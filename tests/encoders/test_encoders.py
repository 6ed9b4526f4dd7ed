"""What every registered encoder promises, whatever it is made of."""

import copy
import dataclasses
import pickle

import pytest
import torch

from crosscale.augment.spatial import Mirror
from crosscale.encoders import ENCODERS, create_encoder, described, from_description
from crosscale.encoders.readout import Readout
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout

FRAMES = 16
SMALL = {
    "stgcn": {"hidden": 2, "width": 8},
    "tcn": {"width": 4},
    "transformer": {"width": 8, "depth": 2, "heads": 2, "segment": 3},
    "rocket": {"features": 168, "frames": FRAMES},
}
CHIRAL = "chiral"  # the TCN whose left and right share weights


def made(name, scale="joints"):
    torch.manual_seed(0)
    graph = Layout.load("ntu25").scale(scale)
    if name == CHIRAL:
        encoder = create_encoder("tcn", graph, width=4, chiral=True)
    else:
        encoder = create_encoder(name, graph, **SMALL.get(name, {}))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for _ in range(3):  # statistics that are not those of the start
            encoder.train()(torch.randn(6, 3, FRAMES, len(graph.names), 1))
    return encoder.eval()


names = pytest.mark.parametrize("name", [*sorted(ENCODERS.built_in()), CHIRAL])


def test_they_are_found_by_their_files():
    assert {"stgcn", "tcn"} <= set(ENCODERS.built_in())
    with pytest.raises(CrosscaleError, match="did you mean 'stgcn'"):
        ENCODERS.load("stgnc")


@names
@pytest.mark.parametrize("scale", ["joints", "part10"])
def test_a_clip_is_a_vector_whatever_its_company_and_absent_bodies(name, scale):
    encoder = made(name, scale)
    nodes = len(encoder.graph.names)
    x = torch.randn(4, 3, FRAMES, nodes, 2)
    body_mask = torch.tensor([[1, 1], [1, 0], [0, 1], [0, 0]]).bool()
    with torch.no_grad():
        features = encoder(x, body_mask)
        assert features.shape == (4, encoder.dim)
        torch.testing.assert_close(encoder(x[1:2], body_mask[1:2]), features[1:2])
        torch.testing.assert_close(encoder(x[1:2, ..., :1]), features[1:2])
        torch.testing.assert_close(encoder(x.flip(4), body_mask.flip(1)), features)
    assert (features[3] == 0).all()


@names
def test_layers_are_what_it_says_and_the_last_one_is_what_was_trained(name):
    encoder = made(name)
    bodies = torch.randn(3, 3, FRAMES, 25)
    with torch.no_grad():
        maps = encoder.forward_intermediates(bodies)
        assert [m.shape[1:3] for m in maps] == [(x.dim, x.nodes) for x in encoder.layers]
        torch.testing.assert_close(maps[-1], encoder.forward_features(bodies))
        for pooling in ("mean", "nodes"):
            for layers in (1, 2, "all"):
                read = Readout(encoder, pooling, layers)
                assert read(bodies).shape == (3, read.dim) == (3, sum(read.parts))
        torch.testing.assert_close(
            Readout(encoder)(bodies), encoder(bodies.unsqueeze(4)), rtol=1e-4, atol=1e-5
        )
        faster = Readout(encoder).for_frames(FRAMES)
        torch.testing.assert_close(
            faster(bodies), encoder(bodies.unsqueeze(4)), rtol=1e-4, atol=1e-5
        )


@names
def test_what_is_hidden_from_it_does_not_matter(name):
    encoder = made(name)
    bodies = torch.randn(2, 3, FRAMES, 25)
    mask = (torch.rand(2, FRAMES, 25) > 0.3).float()
    changed = torch.where(mask.unsqueeze(1) > 0, bodies, torch.randn_like(bodies))
    with torch.no_grad():
        whole = encoder.forward_features(bodies)
        hidden = encoder.forward_features(bodies, token_mask=mask)
        torch.testing.assert_close(encoder.forward_features(changed, token_mask=mask), hidden)
    assert not torch.allclose(whole, hidden)


@names
def test_it_comes_back_from_its_description_and_from_a_pickle(name):
    encoder = made(name)
    x = torch.randn(2, 3, FRAMES, 25, 1)
    again = from_description(described(encoder), encoder.graph)
    again.load_state_dict(encoder.state_dict())
    others = [again.eval(), copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))]
    with torch.no_grad():
        for other in others:
            assert torch.equal(other(x), encoder(x))


def test_a_mirror_exchanges_the_halves_of_a_chiral_ones_channels_and_changes_nothing_else():
    layout = Layout.load("part10")
    torch.manual_seed(0)
    encoder = create_encoder("tcn", layout.scale("joints"), width=8, chiral=True)
    bodies = torch.randn(6, 3, FRAMES, 10)
    images = Mirror(1.0, layout.other_side)(bodies.unsqueeze(4)).squeeze(4)
    encoder.forward_features(bodies)  # statistics that are not those of the start
    with torch.no_grad():
        for training in (True, False):
            encoder.train(training)
            maps = map(encoder.forward_intermediates, (bodies, images))
            for own, other in zip(*maps, strict=True):
                torch.testing.assert_close(other, torch.cat(own.chunk(2, 1)[::-1], 1))
                assert not torch.allclose(own, other)


def test_a_chiral_one_needs_names_that_tell_left_from_right():
    graph = Layout.load("part10").scale("joints")
    unsided = dataclasses.replace(graph, names=tuple(f"node_{v}" for v in range(10)))
    with pytest.raises(CrosscaleError, match="left"):
        create_encoder("tcn", unsided, width=8, chiral=True)


@names
def test_every_weight_gets_a_gradient(name):
    encoder = made(name).train()
    if not any(p.requires_grad for p in encoder.parameters()):
        pytest.skip("nothing of it is trained")
    encoder(torch.randn(4, 3, FRAMES, 25, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("name", ["pathlib:Path", "made/up.py:Encoder", "crosscale.errors:needs"])
def test_a_file_that_names_something_else_is_refused(name):
    """Whoever wrote it: nothing of it is run."""
    with pytest.raises(CrosscaleError, match=name):
        from_description({"name": name}, Layout.load("ntu25").scale("joints"))
