import pytest
import torch

from crosscale.augment.temporal import Blur, CropResize, PadCrop, Reverse
from crosscale.errors import CrosscaleError


def clocks(n=300, frames=50):
    """Clips whose every coordinate is the frame's number."""
    return torch.arange(float(frames)).reshape(1, 1, -1, 1, 1).expand(n, 3, frames, 4, 2)


def times(x):
    return x[:, 0, :, 0, 0]


@pytest.mark.parametrize("change", [PadCrop(), CropResize(0.5, 1)])
def test_a_crop_follows_from_its_seed_and_moves_all_joints_alike(change):
    change.seed(5)
    first = change(clocks())
    change.seed(5)
    assert torch.equal(change(clocks()), first)
    assert torch.equal(first, first[:, :1, :, :1, :1].expand_as(first))
    assert len(times(first).unique(dim=0)) > 10


def test_pad_crop_takes_any_window_of_the_mirrored_clip():
    got = times(PadCrop()(clocks())).unique(dim=0)
    clip = torch.arange(50.0)
    padded = torch.cat([clip[:8].flip(0), clip, clip[-8:].flip(0)])
    expected = padded.unfold(0, 50, 1).unique(dim=0)
    assert torch.equal(got, expected)


def test_pad_crop_of_a_sixth_is_not_short_by_rounding():
    spread = times(PadCrop()(clocks(frames=54)))
    assert spread[:, 0].max() == 9


def test_crop_resize_covers_its_share_at_an_even_pace():
    got = times(CropResize(0.5, 0.8)(clocks()))
    pace = got.diff(dim=1)[:, 1:-1]
    torch.testing.assert_close(pace, pace[:, :1].expand_as(pace), atol=1e-4, rtol=0)
    assert pace.min() >= 0.5 - 1e-4
    assert pace.max() <= 0.8 + 1e-4
    assert got.min() >= 0
    assert got.max() <= 49


def test_crop_resize_of_the_whole_clip_changes_nothing():
    torch.testing.assert_close(CropResize(1, 1)(clocks(n=2)), clocks(n=2))


@pytest.mark.parametrize("change", [PadCrop(), CropResize(0.5, 1)])
def test_a_single_frame_stays(change):
    assert torch.equal(change(clocks(n=3, frames=1)), clocks(n=3, frames=1))


def test_nonsense_is_refused():
    with pytest.raises(CrosscaleError, match="crop must"):
        PadCrop(1.5)
    for window in ((0, 1), (1, 0.5)):
        with pytest.raises(CrosscaleError, match="resize needs"):
            CropResize(*window)


def test_reverse_plays_about_half_backwards():
    got = times(Reverse(0.5)(clocks(900)))
    backwards = got[:, 0] == 49
    assert torch.equal(got[backwards], torch.arange(49.0, -1, -1).expand_as(got[backwards]))
    assert torch.equal(got[~backwards], torch.arange(50.0).expand_as(got[~backwards]))
    assert abs(backwards.float().mean() - 0.5) < 0.06


def test_blur_leaves_what_stands_still_and_smooths_what_jumps():
    still = torch.full((50, 3, 20, 4, 1), 2.0)
    torch.testing.assert_close(Blur(2.0)(still), still)
    jump = (torch.arange(20) >= 10).float().reshape(1, 1, -1, 1, 1).expand(400, 3, 20, 4, 1)
    out = times(Blur(2.0)(jump))
    assert (out.diff(dim=1) >= -1e-6).all()
    left = (out == times(jump)).all(dim=1)
    assert abs(left.float().mean() - 0.5) < 0.1
    torch.testing.assert_close(out.sum(dim=1), torch.full((400,), 10.0), atol=0.01, rtol=0)


@pytest.mark.parametrize("change", [Reverse(0.5), Blur(2.0)])
def test_a_change_over_time_follows_from_its_seed(change):
    change.seed(5)
    first = change(clocks())
    assert not torch.equal(change(clocks()), first)
    change.seed(5)
    assert torch.equal(change(clocks()), first)


@pytest.mark.parametrize("wrong", [lambda: Reverse(2), lambda: Blur(99)])
def test_impossible_changes_over_time_are_refused(wrong):
    with pytest.raises(CrosscaleError, match=r"must be|is a probability"):
        wrong()
