from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.models.export.preparation import Preparation
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import Facing, Preprocess, Root, preprocess
from crosscale.transforms.resample import Length

LAYOUT = Layout.load("ntu25")
WAYS = list(product(get_args(Root), get_args(Facing), get_args(Length)))


def _clip(random, frames, bodies=2, away=0.3):
    pose = random.normal(size=(1, bodies, 25, 3))
    path = random.normal(scale=0.05, size=(frames, bodies, 1, 3)).cumsum(axis=0)
    clip = (pose + path + random.normal(scale=0.05, size=(frames, bodies, 25, 3))).astype("f4")
    clip[random.random((frames, bodies)) < away] = np.nan
    return clip


def _padded(clips):
    longest = max(map(len, clips))
    out = torch.full((len(clips), longest, *clips[0].shape[1:]), torch.nan)
    for i, clip in enumerate(clips):
        out[i, : len(clip)] = torch.from_numpy(clip)
    return out


def _check(clips, how):
    right = preprocess(clips, LAYOUT, how)
    found, body_mask = Preparation(LAYOUT, how)(_padded(clips))
    assert torch.equal(body_mask, right.body_mask)
    torch.testing.assert_close(found, right.coordinates, atol=2e-6, rtol=0)
    return right


@pytest.mark.parametrize(("root", "facing", "length"), WAYS)
def test_it_equals_the_preprocessing_of_training(root, facing, length):
    random = np.random.default_rng(0)
    clips = [_clip(random, frames) for frames in (1, 2, 7, 30, 61)]
    right = _check(clips, Preprocess(16, root, facing, length, bodies=2))
    assert right.coordinates.abs().max() > 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(WAYS), st.integers(1, 40), st.integers(1, 20))
def test_so_it_does_whatever_the_gaps(seed, way, frames, target):
    random = np.random.default_rng(seed)
    clips = [_clip(random, int(random.integers(1, frames + 1)), away=0.6) for _ in range(3)]
    _check(clips, Preprocess(target, *way, bodies=2))


def test_nobody_at_all_gives_zeros():
    found, body_mask = Preparation(LAYOUT, Preprocess(8))(torch.full((2, 9, 2, 25, 3), torch.nan))
    assert not body_mask.any()
    assert torch.equal(found, torch.zeros(2, 3, 8, 25, 2))


def test_a_second_body_may_be_the_only_one():
    clip = _clip(np.random.default_rng(1), 20, away=0)
    clip[:, 0] = np.nan
    _check([clip], Preprocess(8))


def test_a_person_seen_from_the_side_without_any_width_is_not_turned():
    clip = _clip(np.random.default_rng(2), 5, away=0)
    clip[..., LAYOUT.shoulders[1], :] = clip[..., LAYOUT.shoulders[0], :]
    clip[..., LAYOUT.hips[1], :] = clip[..., LAYOUT.hips[0], :]
    right = _check([clip], Preprocess(5))
    still = preprocess([clip], LAYOUT, Preprocess(5, facing="none"))
    assert torch.equal(right.coordinates, still.coordinates)
