"""The convolution over time gives the same by frequencies as frame by frame."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from crosscale.encoders.temporal import LEAST_CHANNELS, REACH, TemporalConvolution, transforms

WIDE = LEAST_CHANNELS


def results(convolution, x: Tensor, weighting: Tensor, *, training: bool) -> list[Tensor]:
    """The output, and the gradients of the input, the weight and the bias."""
    convolution.train(training)
    x = x.clone().requires_grad_()
    found = convolution(x)
    convolution.zero_grad()
    (found * weighting).sum().backward()
    return [found, x.grad, convolution.weight.grad, convolution.bias.grad]


def made(channels: int, *, stride: int = 1, dtype=torch.float32) -> TemporalConvolution:
    torch.manual_seed(0)
    return TemporalConvolution(channels, stride).to(dtype)


@settings(deadline=None, max_examples=20)
@given(frames=st.integers(1, WIDE), nodes=st.integers(1, 5), count=st.integers(1, 3))
def test_values_and_gradients_are_those_of_the_plain_convolution(frames, nodes, count):
    convolution = made(WIDE, dtype=torch.float64)
    x, weighting = torch.randn(2, count, WIDE, nodes, frames, dtype=torch.float64)
    plain = results(convolution, x, weighting, training=False)
    for found, wanted in zip(results(convolution, x, weighting, training=True), plain, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_in_32_bits_they_are_equal_to_a_hundred_thousandth():
    convolution = made(256)
    x, weighting = (t.to(memory_format=torch.channels_last) for t in torch.randn(2, 8, 256, 25, 13))
    plain = results(convolution, x, weighting, training=False)
    for found, wanted in zip(results(convolution, x, weighting, training=True), plain, strict=True):
        assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_it_stays_in_channels_last_memory():
    x = torch.randn(2, WIDE, 5, 13).to(memory_format=torch.channels_last)
    assert made(WIDE)(x).is_contiguous(memory_format=torch.channels_last)


def test_no_bodies_at_all_give_none():
    assert made(WIDE)(torch.empty(0, WIDE, 5, 13)).shape == (0, WIDE, 5, 13)


@pytest.mark.parametrize(
    ("channels", "frames", "stride", "training", "shortened"),
    [
        (WIDE, 13, 1, True, True),
        (WIDE, WIDE + 1, 1, True, False),
        (WIDE - 1, 13, 1, True, False),
        (WIDE, 13, 2, True, False),
        (WIDE, 13, 1, False, False),
    ],
)
def test_it_goes_by_frequencies_where_that_pays(
    channels, frames, stride, training, shortened, convolved
):
    made(channels, stride=stride).train(training)(torch.randn(1, channels, 2, frames))
    assert (convolved == []) == shortened


def test_bf16_goes_frame_by_frame(convolved):
    with torch.autocast("cpu", torch.bfloat16):
        made(WIDE)(torch.randn(1, WIDE, 2, 13))
    assert convolved


@pytest.fixture
def convolved(monkeypatch) -> list[int]:
    """The number of channels of each plain convolution, once one was called for."""
    seen: list[int] = []
    plain = torch.nn.Conv2d.forward

    def noted(self, x):
        seen.append(x.shape[1])
        return plain(self, x)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", noted)
    return seen


@pytest.mark.parametrize("frames", [1, 12, 13, 50])
def test_the_transforms_alone_make_a_convolution(frames):
    to_points, taps, to_frames = transforms(frames)
    signal, kernel = torch.randn(frames).double(), torch.randn(2 * REACH + 1).double()
    found = to_frames @ ((to_points @ signal) * (taps @ kernel))
    wanted = functional.conv1d(signal[None, None], kernel[None, None], padding=REACH)[0, 0]
    torch.testing.assert_close(found, wanted)
    assert len(to_points) < 2 * frames + 2 * REACH
