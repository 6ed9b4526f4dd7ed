import pytest
import torch

from crosscale.augment.spatial import (
    BoneLengths,
    HideAxis,
    Jitter,
    Mask,
    Mirror,
    Rotate,
    Scale,
    Shear,
    Tilt,
)
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout

PARENTS = Layout.load("ntu25").parents
OTHER_SIDE = [0, 2, 1, 3, 4, 5, 6, 9, 8, 7, *range(10, 25)]
CHANGES = [
    Shear(0.5),
    Rotate(30),
    Scale(0.2),
    BoneLengths(0.3, PARENTS),
    Jitter(0.01),
    Jitter(0.05, held=True),
    Mask(0.3),
    Mirror(0.5, OTHER_SIDE),
    Tilt(30),
    HideAxis(0.5),
]


def batch(n=4):
    x = torch.randn(n, 3, 10, 25, 2, generator=torch.Generator().manual_seed(0))
    x[0, ..., 1] = 0
    return x


def matrices(change, n=500):
    """The matrix by which each of n samples is multiplied."""
    axes = torch.eye(3).reshape(1, 3, 1, 3, 1).expand(n, 3, 1, 3, 1)
    return change(axes)[:, :, 0, :, 0]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: type(c).__name__)
class TestEveryChange:
    def test_leaves_absent_bodies_at_zero(self, change):
        assert (change(batch())[0, ..., 1] == 0).all()

    def test_follows_from_its_seed(self, change):
        change.seed(3)
        first, second = change(batch()), change(batch())
        change.seed(3)
        assert torch.equal(change(batch()), first)
        assert not torch.equal(first, second)

    def test_draws_for_each_sample_by_itself(self, change):
        same = batch()[1:2].expand(20, -1, -1, -1, -1)
        first, *others = change(same)
        assert any(not torch.equal(first, other) for other in others)

    def test_leaves_its_input_alone(self, change):
        x = batch()
        change(x)
        assert torch.equal(x, batch())


def test_shear_has_ones_on_the_diagonal_and_fills_its_range_elsewhere():
    drawn = matrices(Shear(0.5))
    off = drawn[:, ~torch.eye(3, dtype=torch.bool)]
    assert (drawn.diagonal(dim1=1, dim2=2) == 1).all()
    assert 0.49 < off.abs().max() <= 0.5
    assert off.mean().abs() < 0.03


def test_rotate_keeps_heights_and_distances_within_its_angle():
    drawn = matrices(Rotate(30))
    torch.testing.assert_close(drawn @ drawn.mT, torch.eye(3).expand_as(drawn))
    assert torch.equal(drawn[:, 1], torch.tensor([0.0, 1, 0]).expand(500, 3))
    degrees = torch.atan2(drawn[:, 2, 0], drawn[:, 0, 0]).rad2deg()
    assert 29 < degrees.abs().max() <= 30.001


def test_scale_changes_all_directions_alike():
    drawn = matrices(Scale(0.2))
    size = drawn[:, 0, 0]
    torch.testing.assert_close(drawn, size[:, None, None] * torch.eye(3))
    assert size.min() >= 0.8
    assert size.max() <= 1.2


def test_jitter_is_as_strong_as_asked():
    x = batch()
    assert abs((Jitter(0.05)(x) - x)[1:].std() - 0.05) < 0.002


def test_nonsense_is_refused():
    for make in (lambda: Shear(-1), lambda: Rotate(float("nan")), lambda: Scale(1)):
        with pytest.raises(CrosscaleError, match="must"):
            make()
    with pytest.raises(CrosscaleError, match="set rotate to 0"):
        Rotate(10)(batch()[:, :2])


def test_a_masked_joint_is_hidden_in_all_frames_and_the_others_are_left():
    x = torch.randn(400, 3, 6, 25, 2)
    out = Mask(0.3)(x)
    hidden = (out == 0).all(dim=(1, 2, 4))
    assert torch.equal(out, torch.where(hidden[:, None, None, :, None], 0.0, x))
    assert abs(hidden.float().mean() - 0.3) < 0.02


def test_a_mirrored_clip_has_left_and_right_exchanged_and_twice_is_the_clip():
    x = batch()
    mirror = Mirror(1.0, OTHER_SIDE)
    out = mirror(x)
    torch.testing.assert_close(out[:, 0, :, 1], -x[:, 0, :, 2])
    torch.testing.assert_close(out[:, 1:, :, 9], x[:, 1:, :, 7])
    torch.testing.assert_close(out[:, 1:, :, 0], x[:, 1:, :, 0])
    torch.testing.assert_close(mirror(out), x)


def test_bones_keep_their_directions_and_change_their_lengths_within_the_ratio():
    x = batch()[1:]
    out = BoneLengths(0.3, PARENTS)(x)
    children = [v for v, p in enumerate(PARENTS) if v != p]
    parents = [PARENTS[v] for v in children]
    before, after = (y[:, :, :, children] - y[:, :, :, parents] for y in (x, out))
    factors = after.norm(dim=1) / before.norm(dim=1)  # (N, T, bones, M)
    torch.testing.assert_close(after, before * factors[:, None], atol=1e-4, rtol=1e-4)
    assert factors.min() > 0.699
    assert factors.max() < 1.301
    assert factors.std(dim=(1, 3)).max() < 1e-3  # a bone is one length in all frames and bodies
    centre = [v for v, p in enumerate(PARENTS) if v == p]
    torch.testing.assert_close(out[:, :, :, centre], x[:, :, :, centre])


def test_a_held_jitter_shifts_each_joint_by_one_step_for_the_whole_clip():
    x = batch()[1:]
    shift = Jitter(0.05, held=True)(x) - x
    torch.testing.assert_close(shift, shift[:, :, :1].expand_as(shift), atol=1e-6, rtol=0)
    assert abs(shift[:, :, 0].std() - 0.05) < 0.01


def test_tilt_turns_about_one_axis_within_its_angle():
    drawn = matrices(Tilt(30))
    torch.testing.assert_close(drawn @ drawn.mT, torch.eye(3).expand_as(drawn))
    torch.testing.assert_close(torch.linalg.det(drawn), torch.ones(500))
    fixed = (drawn.diagonal(dim1=1, dim2=2) > 0.99999).sum(dim=1)
    assert (fixed >= 1).all()
    cosines = (drawn.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    assert 29 < cosines.min().acos().rad2deg() <= 30.01
    axes = drawn.diagonal(dim1=1, dim2=2).argmax(dim=1)
    assert axes.unique().tolist() == [0, 1, 2]


def test_one_whole_axis_is_hidden_in_about_as_many_samples_as_asked():
    out = HideAxis(0.5)(torch.ones(900, 3, 4, 5, 1))
    shown = out[:, :, 0, 0, 0]
    assert torch.equal(out, shown[:, :, None, None, None].expand_as(out))
    hidden = 3 - shown.sum(dim=1)
    assert hidden.max() == 1
    assert abs(hidden.mean() - 0.5) < 0.06
    assert ((1 - shown).mean(dim=0) - 1 / 6).abs().max() < 0.05
