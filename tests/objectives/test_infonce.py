"""Contrast in the batch: what its loss is, and that streams are drawn to each other."""

import pytest
import torch
from torch.nn import functional

from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch
from crosscale.training.recipe import read_recipe
from crosscale.training.setup import make_objective, make_source, make_views

SMALL = {"encoder.width": 8, "objective.dim": 16, "objective.hidden": 16, "source.epoch_clips": 12}


def step(changes=None):
    """An objective and a batch of twelve programs."""
    recipe = read_recipe("programs/body", SMALL | (changes or {}))
    source = make_source(recipe, [], torch.device("cpu"))
    objective, views = make_objective(recipe, source), make_views(recipe, source.layout)
    taken = source.take(torch.arange(12), views.names, seed=0)
    batch = Batch({name: views(name, taken[name], 0) for name in views.names}, torch.arange(12))
    return objective, batch


def test_the_loss_is_the_cross_entropy_of_finding_the_other_view():
    objective, batch = step()
    vectors = torch.cat([objective.branches[0](batch.views[name]) for name in ("first", "second")])
    one, other = functional.normalize(objective.projectors[0](vectors), dim=1).chunk(2)
    wanted = torch.zeros(())
    for a, b in ((one, other), (other, one)):
        for i in range(12):
            similar = (a[i] * b).sum(1) / objective.settings.temperature
            wanted = wanted - similar.log_softmax(0)[i] / 24
    torch.testing.assert_close(objective(batch).loss, wanted)


def test_a_clip_that_is_in_the_batch_twice_is_no_negative_of_itself():
    objective, batch = step()
    twice = batch._replace(clips=torch.tensor([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]))
    vectors = torch.cat([objective.branches[0](batch.views[name]) for name in ("first", "second")])
    one, other = functional.normalize(objective.projectors[0](vectors), dim=1).chunk(2)
    similar = one @ other.T / objective.settings.temperature
    wanted = torch.zeros(())
    for i, clip in enumerate(twice.clips):
        against = (twice.clips != clip) | (torch.arange(12) == i)
        for logits in (similar[i], similar[:, i]):
            wanted = wanted + (logits[against].logsumexp(0) - logits[i]) / 24
    torch.testing.assert_close(objective(twice).loss, wanted)


def test_vectors_that_are_near_are_told_apart_in_mixed_precision_too():
    objective, _ = step({"objective.temperature": 0.01})
    around = torch.randn(12, 16, generator=torch.Generator().manual_seed(0))
    one = functional.normalize(torch.ones(12, 16) + 0.02 * around, dim=1)
    none = torch.zeros(12, 12, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = objective._loss(one, one, none)
    torch.testing.assert_close(mixed, objective._loss(one, one, none))


def test_scales_of_a_clip_are_positives_of_each_other():
    objective, batch = step({"streams": ["joint", "joint@body5"]})
    output = objective(batch)
    assert output.metrics["across/loss"] > 0
    alone, _ = step({"streams": ["joint", "joint@body5"], "objective.across": 0.0})
    assert "across/loss" not in alone(batch).metrics
    assert set(objective.encoders()) == {"joint", "joint@body5"}


def test_what_cannot_be_is_refused():
    with pytest.raises(CrosscaleError):
        step({"objective.temperature": 0.0})
