import dataclasses

import pytest
import torch

from crosscale.augment.compose import AugmentSettings, Views
from crosscale.augment.edge_cut import Cut
from crosscale.augment.random import Augmentation
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipTensors
from crosscale.utils.repeatable import derived_seed

NTU = Layout.load("ntu25")
ALL = AugmentSettings(
    shear=0.5,
    rotate=20,
    resize=(0.5, 1.0),
    scale=0.1,
    bones=0.1,
    jitter=0.01,
    posture=0.02,
    mask=0.1,
    mirror=0.5,
    cut=Cut(most=9, views="both"),
)


def batch(n=4):
    x = torch.randn(n, 3, 12, 25, 2, generator=torch.Generator().manual_seed(0))
    x[0, ..., 1] = 0
    body_mask = torch.ones(n, 2, dtype=torch.bool)
    body_mask[0, 1] = False
    return ClipTensors(x, body_mask)


def two(settings, scales=("joints", "part10"), **more):
    """What draws a query and a key view of clips."""
    views = Views({"query": settings, "key": settings}, NTU, scales, **more)
    return lambda clips, seed: tuple(views(name, clips, seed) for name in views.names)


def cut(most=9, **more):
    return AugmentSettings(cut=Cut(most=most, **more))


def test_a_resumed_run_sees_the_views_it_would_have_seen():
    views = two(ALL)
    straight = [views(batch(), seed) for seed in range(4)][3]
    resumed = two(ALL)(batch(), 3)
    for one, other in zip(straight, resumed, strict=True):
        assert torch.equal(one.coordinates, other.coordinates)
        assert all(torch.equal(one.edge_mask[s], other.edge_mask[s]) for s in one.edge_mask)


def test_query_and_key_differ_and_so_do_seeds():
    views = two(ALL)
    query, key = views(batch(), 0)
    later, _ = views(batch(), 1)
    assert not torch.equal(query.coordinates, key.coordinates)
    assert not torch.equal(query.coordinates, later.coordinates)
    assert not torch.equal(query.edge_mask["joints"], key.edge_mask["joints"])


def test_one_change_does_not_disturb_the_draws_of_another():
    plain, _ = two(AugmentSettings(shear=0.5, crop=0))(batch(), 4)
    scaled, _ = two(AugmentSettings(shear=0.5, crop=0, scale=0.1))(batch(), 4)
    ratio = scaled.coordinates[1:] / plain.coordinates[1:]
    expected = ratio[:, :1, :1, :1, :1].expand_as(ratio)
    torch.testing.assert_close(ratio, expected, atol=1e-4, rtol=1e-4)


def test_with_everything_left_out_a_view_is_the_clip():
    for view in two(AugmentSettings(shear=0, crop=0))(batch(), 0):
        assert torch.equal(view.coordinates, batch().coordinates)
        assert view.edge_mask == {"joints": None, "part10": None}


def test_absent_bodies_stay_absent():
    for view in two(ALL)(batch(), 0):
        assert (view.coordinates[0, ..., 1] == 0).all()


@pytest.mark.parametrize(
    ("views", "which"), [("key", (False, True)), ("query", (True, False)), ("both", (True, True))]
)
def test_the_cut_falls_on_the_view_it_is_set_for(views, which):
    got = two(cut(views=views))(batch(), 0)
    assert tuple(view.edge_mask["joints"] is not None for view in got) == which


def test_masks_fit_their_scales():
    _, key = two(cut())(batch(), 0)
    assert key.edge_mask["joints"].shape == (4, 25, 25)
    assert key.edge_mask["part10"].shape == (4, 10, 10)


def test_a_cut_per_run_follows_from_the_run_alone():
    once = cut(draw="run")
    views = two(once, run_seed=1)
    first, later = (views(batch(), seed)[1].edge_mask["joints"] for seed in (0, 1))
    other = two(once, run_seed=2)(batch(), 0)[1].edge_mask["joints"]
    assert torch.equal(first, later)
    assert not torch.equal(first, other)


def test_an_unknown_scale_is_refused_at_once():
    with pytest.raises(CrosscaleError, match="did you mean 'part10'"):
        two(AugmentSettings(), scales=["part1"])


def test_neighbouring_seeds_are_unrelated():
    seeds = {derived_seed(s, name) for s in range(200) for name in ("query shear", "key shear")}
    assert len(seeds) == 400
    assert all(0 <= s < 2**63 for s in seeds)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_views_are_drawn_on_the_device_of_the_batch():
    clips = batch()
    for view in two(ALL)(ClipTensors(clips.coordinates.cuda(), clips.body_mask), 0):
        assert view.coordinates.is_cuda
        assert view.edge_mask["joints"].is_cuda


class Nudge(Augmentation):
    """An augmentation of one's own."""

    def __init__(self, strength):
        super().__init__()
        self.strength = strength

    def __call__(self, x):
        return x + self.strength * self.normal((len(x), 3, 1, 1, 1), x)


def test_augmentations_of_others_are_applied_last_and_follow_the_seed():
    plain = AugmentSettings(shear=0.5, crop=0)
    settings = dataclasses.replace(plain, further=[f"{__name__}:Nudge=0.5"])
    before, (one, _), (again, _) = (two(s)(batch(), 3) for s in (plain, settings, settings))
    moved = one.coordinates - before[0].coordinates
    assert torch.equal(one.coordinates, again.coordinates)
    assert (moved.flatten(2).std(dim=2) < 1e-5).all()  # each clip by one step
    assert (moved[:, :, 0, 0, 0].abs() > 0).all()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Nudge", "NAME=STRENGTH"),
        ("nobody:Nudge=1", "no module"),
        ("tilt=much", "NAME=STRENGTH"),
        ("tilted=1", "no augmentation"),
    ],
)
def test_augmentations_that_are_none_are_told(text, told):
    with pytest.raises(CrosscaleError, match=told):
        two(AugmentSettings(further=[text]))
