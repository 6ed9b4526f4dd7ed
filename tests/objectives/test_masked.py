"""Masked prediction of latents: what is hidden, what is asked, and how the teacher follows."""

from functools import partial

import pytest
import torch
from torch.nn.functional import cosine_similarity

from crosscale.augment.compose import View
from crosscale.encoders import ENCODERS, create_encoder
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, StreamSpec
from crosscale.objectives.masked import Masked, MaskedSettings, _distance
from crosscale.objectives.masking import drawn_mask, hidden_at
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream

NTU = Layout.load("ntu25")
SMALL = {"stgcn": {"hidden": 2, "width": 8}, "transformer": {"width": 8, "depth": 1, "heads": 2}}
LEARNING = sorted(set(ENCODERS.built_in()) - {"rocket"})


def made(encoder="tcn", streams=("joint@part10",), **settings):
    torch.manual_seed(0)
    parsed = [Stream.parse(name) for name in streams]
    own = SMALL.get(encoder, {"width": 4})
    specs = [
        StreamSpec(s, NTU, partial(create_encoder, encoder, s.graph(NTU), **own)) for s in parsed
    ]
    return Masked(specs, MaskedSettings(**{"hidden": 6, **settings}))


def batch():
    views = {
        name: View(torch.randn(5, 3, 24, 25, 2), {}, torch.rand(5, 2) > 0.3)
        for name in ("first", "second")
    }
    return Batch(views, torch.arange(5))


def test_so_many_nodes_and_stretches_are_hidden_of_every_clip():
    objective, seen = made(), batch().views["first"]
    mask = drawn_mask(seen, objective.students[0], nodes=0.3, frames=0.5)
    assert mask.shape == (5, 24, 10)
    whole_nodes, whole_frames = (mask == 0).all(dim=1), (mask == 0).all(dim=2)
    assert (whole_nodes.sum(dim=1) == 3).all()
    assert (whole_frames.sum(dim=1) == 12).all()
    both = whole_nodes[:, None, :] | whole_frames[:, :, None]
    assert torch.equal(mask == 0, both)
    assert not torch.equal(whole_nodes[0], whole_nodes[1]) or not torch.equal(
        whole_nodes[0], whole_nodes[2]
    )


def test_places_count_by_what_was_hidden_of_them():
    mask = torch.ones(1, 4, 2)
    mask[0, 2:, 0] = 0
    assert hidden_at(mask, torch.zeros(1, 7, 2, 2)).tolist() == [[[[0, 1], [0, 0]]]]
    assert hidden_at(mask, torch.zeros(1, 7, 1, 2)).tolist() == [[[[0, 0.5]]]]


def test_the_distance_is_to_standardised_targets_at_weighted_places():
    torch.manual_seed(1)
    found, wanted = torch.randn(2, 6, 3, 2, 4).unbind()
    weight = torch.rand(6, 1, 2, 4)
    total = 0.0
    for d in range(3):
        values = wanted[:, d].flatten()
        scaled = (wanted[:, d] - values.mean()) / (values.var(correction=0) + 1e-5).sqrt()
        total += float(((found[:, d] - scaled) ** 2 * weight[:, 0]).sum())
    expected = total / (3 * float(weight.sum()))
    assert float(_distance(found, wanted, weight)) == pytest.approx(expected, rel=1e-4)


def test_the_whole_is_found_among_all_clips():
    objective = made(temperature=0.5)
    one, other = torch.randn(2, 7, 3).unbind()
    scaled = (other - other.mean(dim=0)) / (other.var(dim=0, correction=0) + 1e-5).sqrt()
    cosines = cosine_similarity(one[:, None], scaled[None], dim=2) / 0.5
    expected = -cosines.log_softmax(dim=1).diagonal().mean()
    torch.testing.assert_close(objective._contrast(one, other), expected)


@pytest.mark.parametrize("encoder", LEARNING)
def test_any_encoder_is_taught_and_every_weight_of_the_student_learns(encoder):
    objective = made(encoder, ("joint@part10", "motion"))
    output = objective(batch())
    output.loss.backward()
    for name, parameter in objective.named_parameters():
        taught = not name.startswith("teachers")
        assert parameter.requires_grad == taught
        assert not taught or parameter.grad.isfinite().all(), name
    assert list(objective.encoders()) == ["joint@part10", "motion"]
    both = [output.metrics[f"{name}/loss"] for name in objective.encoders()]
    torch.testing.assert_close(output.loss.detach(), torch.stack(both).mean())


def test_the_teacher_starts_as_the_student_and_follows_it_ever_slower():
    objective = made(momentum=0.9)
    student, teacher = (next(of.parameters()) for of in (objective.students, objective.teachers))
    assert torch.equal(student, teacher)
    with torch.no_grad():
        student += 1
    start = teacher.clone()
    objective.after_step(0.0)
    torch.testing.assert_close(teacher, start + 0.1)
    before = teacher.clone()
    objective.after_step(1.0)
    assert torch.equal(teacher, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [("nodes", 1.0), ("frames", -0.1), ("momentum", 1.5), ("whole", -1.0), ("temperature", 0.0)],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(CrosscaleError, match=name):
        made(**{name: value})
