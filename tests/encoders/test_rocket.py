"""The MiniRocket encoder against its definition, kernel by kernel."""

from itertools import combinations

import numpy as np
import pytest
import torch

from crosscale.encoders import create_encoder
from crosscale.encoders.rocket import RAMP, spreads
from crosscale.errors import CrosscaleError
from crosscale.models.model import load_model
from crosscale.skeleton.layout import Layout

GRAPH = Layout.load("part10").scale("joints")


def walks(clips=6, frames=48, seed=0):
    steps = np.random.default_rng(seed).normal(0, 0.05, (clips, 3, frames, 10))
    return torch.from_numpy(steps.cumsum(axis=2)).float()


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (48, {1: 49, 2: 27, 3: 18, 4: 14, 5: 11}),
        (16, {1: 119}),
        (100, dict(zip(range(1, 13), [34, 19, 15, 8, 12, 4, 8, 7, 3, 3, 3, 3], strict=True))),
    ],
)
def test_kernels_are_spread_as_published(frames, expected):
    """Computed by the published code, for 119 features a kernel."""
    assert spreads(frames, 119) == expected


def test_features_are_those_of_the_definition():
    encoder = create_encoder("rocket", GRAPH, features=2 * 84 * 3, seed=1).eval()
    bodies = walks()
    found = encoder.forward_features(bodies)[:, :, 0, 0].numpy()
    np.testing.assert_allclose(found, by_definition(encoder, bodies.numpy()), atol=1e-4)


def by_definition(encoder, bodies):
    columns, bias = [], iter(encoder.bias.tolist())
    kernels = [np.where(np.isin(range(9), heavy), 2, -1) for heavy in combinations(range(9), 3)]
    for number, (spread, biases) in enumerate(encoder.spreads.items()):
        for k, kernel in enumerate(kernels):
            seen = encoder.channels[number, k].numpy().astype(bool)
            # (clips, C, T, V) to the sum of the channels that the kernel sees
            series = bodies.transpose(0, 1, 3, 2).reshape(len(bodies), 30, -1)[:, seen].sum(axis=1)
            reach = 4 * spread
            padded = np.pad(series, ((0, 0), (reach, reach)))
            frames = series.shape[1]
            answer = sum(kernel[t] * padded[:, t * spread : t * spread + frames] for t in range(9))
            if (number + k) % 2:
                answer = answer[:, reach:-reach]
            for _ in range(biases):
                above = (answer - next(bias)) / RAMP + 0.5
                columns.append(np.clip(above, 0, 1).mean(axis=1))
    assert next(bias, None) is None
    return np.stack(columns, axis=1)


def test_biases_lie_where_motion_like_walks_passes_and_are_the_same_for_the_same_seed():
    one, two, other = (create_encoder("rocket", GRAPH, features=840, seed=s) for s in (3, 3, 4))
    assert torch.equal(one.bias, two.bias)
    assert not torch.equal(one.bias, other.bias)
    shares = one.forward_features(walks(64, seed=4)).mean(dim=0)
    assert 0.45 < shares.mean() < 0.55
    assert ((shares > 0.05) & (shares < 0.95)).float().mean() > 0.8


def test_a_still_body_does_not_tell_where_it_stands():
    encoder = create_encoder("rocket", GRAPH, features=84)
    within = encoder.forward_features(
        torch.ones(2, 3, 48, 10) * torch.tensor([0.1, 2]).view(2, 1, 1, 1)
    )
    first, second = within[:, 1::2, 0, 0]
    torch.testing.assert_close(first, second, atol=1e-3, rtol=0)


def test_clips_that_are_too_short_and_sizes_without_sense_are_refused():
    encoder = create_encoder("rocket", GRAPH)
    with pytest.raises(CrosscaleError, match="clips of 40 frames are too short"):
        encoder.forward_features(walks(frames=40))
    for wrong in ({"features": 83}, {"frames": 8}):
        with pytest.raises(CrosscaleError, match="84 or more"):
            create_encoder("rocket", GRAPH, **wrong)


def test_the_one_that_comes_with_the_package_is_a_fresh_one_and_takes_any_sensor():
    model, fresh = load_model("rocket"), create_encoder("rocket", GRAPH)
    torch.testing.assert_close(dict(model.encoder.state_dict()), dict(fresh.state_dict()))
    assert model.dim == 9_996
    assert model.layout.name == "part10"
    assert not any(weight.requires_grad for weight in model.parameters())
    rng = np.random.default_rng(0)
    for layout, joints, axes in (("kinect20", 20, 3), ("ntu25", 25, 3), ("coco17", 17, 2)):
        clips = [rng.normal(size=(frames, 1, joints, axes)).cumsum(axis=0) for frames in (20, 70)]
        vectors = model.embed(clips, layout)
        assert vectors.shape == (2, 9_996)
        np.testing.assert_array_equal(model.embed(clips[1], layout)[0], vectors[1])
