"""Optimisers and schedules by name."""

import pytest
import torch
from torch import nn

from crosscale.training.optim import (
    SGD,
    AdamW,
    Cosine,
    Step,
    clip_gradients,
    learning_rate,
    make_optimiser,
)


def module():
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    made[2].requires_grad_(False)
    return made


def test_every_trainable_parameter_is_optimised_and_no_other():
    network = module()
    (group,) = make_optimiser(network, SGD()).param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in network[:2].parameters()}


@pytest.mark.parametrize("settings", [AdamW(weight_decay=0.1), SGD(decay_all=False)])
def test_normalisations_and_biases_do_not_decay(settings):
    network = module()
    decayed, others = make_optimiser(network, settings).param_groups
    assert [p.dim() for p in decayed["params"]] == [2]
    assert decayed["weight_decay"] == settings.weight_decay
    assert {p.dim() for p in others["params"]} == {1}
    assert others["weight_decay"] == 0


def test_gradients_are_clipped_together():
    network = module()
    for weights in network[:2].parameters():
        weights.grad = torch.full_like(weights, 3.0)
    clip_gradients(network.parameters(), AdamW(clip_norm=0.5))
    gradients = [p.grad.flatten() for p in network[:2].parameters()]
    assert float(torch.cat(gradients).norm()) == pytest.approx(0.5)
    clip_gradients(network.parameters(), AdamW())
    assert float(torch.cat(gradients).norm()) == pytest.approx(0.5)


def test_the_rate_falls_by_ten_at_each_milestone():
    rates = [learning_rate(Step(milestones=[2, 3]), 1.0, epoch, 4) for epoch in (0, 1.9, 2, 3)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01])


def test_a_cosine_ends_at_zero_and_a_warm_up_starts_there():
    start, middle, end = (learning_rate(Cosine(), 1.0, epoch, 10, warmup=2) for epoch in (0, 6, 10))
    assert start < 1e-3
    assert middle == pytest.approx(0.5)
    assert end == pytest.approx(0)
