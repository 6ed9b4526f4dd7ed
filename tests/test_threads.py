"""What does not depend on the number of threads, and by how little embedding does."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from crosscale.encoders.readout import Readout
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.evaluation.probes.knn import knn_scores
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import ClipName, record_clips
from crosscale.transforms.preprocess import Preprocess, preprocess

LAYOUT = Layout.load("ntu25")


@pytest.fixture
def with_one_and_two():
    before = torch.get_num_threads()

    def run(work: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(work())
        return results

    yield run
    torch.set_num_threads(before)


def test_preprocessing_gives_the_same_bits(with_one_and_two):
    draws = np.random.default_rng(0)
    clips = [draws.normal(size=(frames, 2, 25, 3)).astype(np.float32) for frames in range(20, 120)]
    one, two = with_one_and_two(lambda: preprocess(clips, LAYOUT, Preprocess()).coordinates)
    assert torch.equal(one, two)


def test_nearest_neighbours_give_the_same_bits(with_one_and_two):
    x = np.random.default_rng(0).normal(size=(3000, 256)).astype(np.float32)
    labels = np.arange(2500) % 10
    one, two = with_one_and_two(lambda: torch.as_tensor(knn_scores(x[:2500], labels, x[2500:], 10)))
    assert torch.equal(one, two)


def test_synthetic_recordings_are_the_same_and_leave_the_number_as_it_was(with_one_and_two):
    name = ClipName(subject=2, repetition=1, action=4, camera=1)  # long enough to be split

    def recorded() -> torch.Tensor:
        before = torch.get_num_threads()
        [recording] = record_clips([name], seed=0)
        assert torch.get_num_threads() == before
        return torch.as_tensor(recording.coordinates)

    one, two = with_one_and_two(recorded)
    assert torch.equal(one, two)


def test_embeddings_differ_by_no_more_than_rounding(with_one_and_two):
    torch.manual_seed(0)
    encoder = Readout(STGCN(LAYOUT.scale("joints"), EncoderSettings()).eval())
    bodies = torch.randn(64, 3, 50, 25)
    with torch.inference_mode():
        one, two = with_one_and_two(lambda: encoder(bodies))
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
