"""Versions of recorded clips that are trained on as clips of their own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscale.data.instances import Instances
from crosscale.data.recordings import Recordings
from crosscale.skeleton.layout import Layout
from crosscale.streams.preprocess import Preprocess, load

LAYOUT = Layout.load("kinect20")


class Kept:
    """Clips in memory, as a store gives them."""

    layout = LAYOUT

    def __init__(self, clips):
        self.clips = clips

    def recordings(self, indices):
        return Recordings.of([self.clips[i] for i in indices], len(LAYOUT.joints))


def drawn(shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=(t, m, 20, 3)).astype(np.float32) for t, m in shapes]


def clip(recordings, i):
    first, frames, bodies = recordings.first[i], recordings.frames[i], recordings.bodies[i]
    rows = recordings.rows[first : first + frames * bodies]
    return rows.reshape(frames, bodies, *rows.shape[1:])


def mirrored(x):
    return x[:, :, LAYOUT.other_side] * np.array([-1, 1, 1], np.float32)


shapes = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), min_size=1, max_size=5)


@given(shapes, st.data())
def test_each_version_is_the_recorded_clip_changed(shapes, data):
    clips = drawn(shapes)
    n = len(clips)
    instances = Instances(Kept(clips), np.arange(n), ["reversed", "mirrored"])
    assert len(instances) == 4 * n
    asked = data.draw(st.lists(st.integers(0, 4 * n - 1), min_size=1, max_size=9))
    found = instances.recordings(asked)
    for place, number in enumerate(asked):
        kind, x = number // n, clips[number % n]
        expected = [x, x[::-1], mirrored(x), mirrored(x[::-1])][kind]
        np.testing.assert_array_equal(clip(found, place), expected)


def test_without_versions_they_are_the_clips_asked_for():
    clips = drawn([(3, 1), (5, 2), (2, 1)])
    instances = Instances(Kept(clips), np.array([2, 0]))
    assert len(instances) == 2
    np.testing.assert_array_equal(clip(instances.recordings([0]), 0), clips[2])


def test_the_recordings_of_the_source_stay_as_they_are():
    source = Kept(drawn([(3, 1)]))
    kept = source.recordings([0])
    source.recordings = lambda indices: kept
    before = kept.rows.copy()
    Instances(source, np.array([0]), ["mirrored", "reversed"]).recordings([3])
    np.testing.assert_array_equal(kept.rows, before)


def test_a_reversed_clip_begins_at_its_own_root():
    source = Kept(drawn([(6, 1)]))
    instances = Instances(source, np.array([0]), ["reversed"])
    x = load(instances, [1], Preprocess(frames=6, bodies=1)).coordinates
    root = x[0, :, 0, list(LAYOUT.root), 0].mean(dim=1)
    torch.testing.assert_close(root, torch.zeros(3), atol=1e-6, rtol=0)


def test_a_mirrored_clip_is_preprocessed_to_the_mirror_image():
    instances = Instances(Kept(drawn([(6, 2)])), np.array([0]), ["mirrored"])
    x, other = load(instances, [0, 1], Preprocess(frames=6)).coordinates
    expected = x[:, :, LAYOUT.other_side] * torch.tensor([-1.0, 1, 1]).view(3, 1, 1, 1)
    torch.testing.assert_close(other, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("versions", "names"),
    [
        ([], ["a", "b"]),
        (["reversed"], ["a", "b", "a (reversed)", "b (reversed)"]),
        (["mirrored"], ["a", "b", "a (mirrored)", "b (mirrored)"]),
    ],
)
def test_a_name_tells_the_version(versions, names):
    instances = Instances(Kept(drawn([(3, 1), (3, 1)])), np.arange(2), versions)
    assert instances.named(["a", "b"]) == names


def test_a_name_tells_both_versions():
    instances = Instances(Kept(drawn([(3, 1)])), np.array([0]), ["reversed", "mirrored"])
    told = ["a", "a (reversed)", "a (mirrored)", "a (reversed) (mirrored)"]
    assert instances.named(["a"]) == told
