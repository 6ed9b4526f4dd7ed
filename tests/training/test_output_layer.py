"""The output layer that is fitted when training ends: what it computes, and that it travels."""

import signal

import numpy as np
import pytest
import torch

import crosscale
from crosscale.encoders.readout import Readout
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import load_encoders
from crosscale.models.hub import resolve
from crosscale.training import loop
from crosscale.training.mixed import MixedSettings, MixedSource
from crosscale.training.output import discriminant, rotation


def two_views(clips: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of which three of ten tell clips apart; the others differ from view to view."""
    draw = torch.Generator().manual_seed(0)
    mixing = torch.linalg.qr(torch.randn(10, 10, generator=draw)).Q
    own = torch.randn(clips, 3, generator=draw)
    views = [
        torch.cat([own, noise * torch.randn(clips, 7, generator=draw)], 1) @ mixing
        for _ in range(2)
    ]
    return views[0], views[1]


def found(one: torch.Tensor, other: torch.Tensor) -> float:
    """The share of clips whose other view is the nearest."""
    return float((torch.cdist(one, other).argmin(1) == torch.arange(len(one))).float().mean())


def test_axes_keep_what_tells_clips_apart_and_drop_what_differs_between_views():
    one, other = two_views(500, noise=1.5)
    layer = discriminant(torch.stack([one, other]), 3)
    assert layer.dim == 3
    assert found(one, other) < 0.3
    assert found(layer(one), layer(other)) > 0.9


def test_views_differ_alike_along_all_axes_which_come_by_spread_before_they_are_turned():
    one, other = two_views(2000, noise=1.0)
    layer, back = discriminant(torch.stack([one, other]), 10), rotation(10).T.float()
    within = ((layer(one) - layer(other)) / 2**0.5 @ back).square().mean(0)
    between = (layer(torch.cat([one, other])) @ back).var(0)
    assert within.max() < 1.2
    assert (between.diff() < 1e-2 * between[0]).all()


def test_what_a_mirror_turns_round_counts_as_much_as_is_said_and_nothing_else_changes():
    """Of ten numbers the mirror turns five round; those are all that moves, by the share asked."""
    draw = torch.Generator().manual_seed(0)
    own = torch.randn(2000, 10, generator=draw)
    views = torch.stack([own + 0.1 * torch.randn(own.shape, generator=draw) for _ in range(2)])
    sign = torch.tensor([1.0] * 5 + [-1.0] * 5)
    images = views * sign
    whole, part = (discriminant(views, 10, images, sides) for sides in (1.0, 0.5))
    for x in views:
        alike = [(layer(x) + layer(x * sign)).norm() for layer in (whole, part)]
        opposite = [(layer(x) - layer(x * sign)).norm() for layer in (whole, part)]
        assert alike[1] / alike[0] == pytest.approx(1, abs=0.01)
        assert opposite[1] / opposite[0] == pytest.approx(0.5, abs=0.01)


def test_every_number_varies_about_as_much_as_any_other():
    draw = torch.Generator().manual_seed(0)
    own = torch.randn(3000, 128, generator=draw) / torch.arange(1, 129) ** 0.5
    one, other = (own + 0.1 * torch.randn(own.shape, generator=draw) for _ in range(2))
    vectors = discriminant(torch.stack([one, other]), 100)(one)
    spread = vectors.std(0)
    assert spread.max() < 1.5 * spread.min()
    assert (vectors @ rotation(100).T.float()).std(0)[0] > 2 * spread[0]


def test_axes_are_turned_always_in_the_same_way_and_no_distance_changes():
    turn = rotation(20)
    torch.testing.assert_close(turn @ turn.T, torch.eye(20, dtype=torch.float64))
    assert torch.equal(turn, rotation(20))


@pytest.mark.parametrize(("name", "side"), [("body", None), ("body-2d", 90.0)])
def test_so_do_those_of_the_encoders_that_come_with_crosscale(name, side):
    trained = load_encoders(resolve(name))
    settings = MixedSettings(programs=1, layout="part10", epoch_clips=256, side=side)
    source = MixedSource(settings, [], "", trained.preprocess, torch.device("cpu"))
    clips = source.take(torch.arange(256), ["first"], seed=0)["first"]
    (encoder,), (layer,) = trained.encoders.values(), trained.output.by_stream.values()
    with torch.no_grad():
        vectors = Readout(encoder, layers="all", output=layer)(clips.coordinates[..., 0])
    assert vectors.std(0).max() < 2 * vectors.std(0).min()


SMALL = {
    "encoder.width": 8, "source.epoch_clips": 64, "training.epochs": 1, "output.dim": 20,
    "training.batch_size": 16, "output.batches": 4,
}  # fmt: skip


def test_a_run_with_an_output_layer_embeds_to_its_length(tmp_path):
    run = crosscale.pretrain("programs/body", None, tmp_path / "run", settings=SMALL, device="cpu")
    model = crosscale.load_model(run)
    assert model.dim == 20
    clips = list(np.random.default_rng(0).normal(size=(3, 30, 1, 10, 3)))
    vectors = model.embed(clips, layout="part10")
    assert vectors.shape == (3, 20)
    assert np.isfinite(vectors).all()


def test_a_layer_is_fitted_to_trained_encoders_without_training_on(tmp_path):
    first = crosscale.pretrain("programs/body", None, tmp_path / "1", settings=SMALL, device="cpu")
    more = {**SMALL, "start": str(tmp_path / "1"), "training.epochs": 0, "output.dim": 12}
    second = crosscale.pretrain("programs/body", None, tmp_path / "2", settings=more, device="cpu")
    one, other = load_encoders(first), load_encoders(second)
    weights = other.encoders["joint"].state_dict()
    for name, value in one.encoders["joint"].state_dict().items():
        assert torch.equal(value, weights[name])
    assert other.dims == {"joint": 12}


@pytest.mark.parametrize("more", [{}, {"start": "body", "encoder.width": 176, "output.dim": 0}])
def test_without_trained_encoders_or_a_layer_there_is_nothing_to_fit(tmp_path, more):
    none = {**SMALL, "training.epochs": 0, **more}
    with pytest.raises(CrosscaleError, match="epochs"):
        crosscale.pretrain("programs/body", None, tmp_path / "run", settings=none, device="cpu")


def test_fitting_can_be_stopped_and_gone_on_with(tmp_path, monkeypatch):
    def stopping(encoders, layout, pairs, settings):
        for number, _ in enumerate(pairs):
            if number == 1:
                signal.raise_signal(signal.SIGINT)

    run = {"settings": SMALL, "device": "cpu"}
    whole = crosscale.pretrain("programs/body", None, tmp_path / "whole", **run)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "fit_output", stopping)
        with pytest.raises(KeyboardInterrupt):
            crosscale.pretrain("programs/body", None, tmp_path / "run", **run)
    resumed = crosscale.pretrain("programs/body", None, tmp_path / "run", **run, resume=True)
    assert resumed.read_bytes() == whole.read_bytes()
