"""A sum of objectives: its loss, what its parts share, and what each keeps for itself."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch

from crosscale.augment.compose import AugmentSettings, View
from crosscale.encoders.tcn import TCN, TCNSettings
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, Objective, StreamSpec
from crosscale.objectives.sum import Sum, SumSettings
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream

NTU = Layout.load("ntu25")
PARTS = [
    {"name": "infonce", "dim": 6, "hidden": 6},
    {"name": "vicreg", "weight": 0.5, "dim": 6},
    {"name": "moco", "weight": 2.0, "dim": 6, "queue": 16},
    {"name": "masked", "weight": 0.25, "hidden": 6},
]


def made(parts=PARTS, streams=("joint@part10", "motion@part10")):
    torch.manual_seed(0)
    parsed = [Stream.parse(name) for name in streams]
    specs = [StreamSpec(s, NTU, partial(TCN, s.graph(NTU), TCNSettings(4))) for s in parsed]
    return Sum(specs, SumSettings(parts))


def batch(objective):
    wanted = objective.views(objective.settings, AugmentSettings())
    views = {
        name: View(torch.randn(5, 3, 12, 25, 1), {}, torch.ones(5, 1, dtype=torch.bool))
        for name in wanted
    }
    return Batch(views, torch.arange(5))


def test_the_loss_is_that_of_each_part_alone_by_weight():
    objective = made()
    seen = batch(objective)
    alone = copy.deepcopy(objective)
    torch.manual_seed(1)
    output = objective(seen)
    torch.manual_seed(1)
    losses = [part(seen).loss for part in alone.parts]
    expected = sum(w * loss for w, loss in zip((1.0, 0.5, 2.0, 0.25), losses, strict=True))
    torch.testing.assert_close(output.loss, expected)
    for part, loss in zip(PARTS, losses, strict=True):
        torch.testing.assert_close(output.metrics[f"{part['name']}/loss"], loss.detach())
    assert "moco/joint@part10/pos_sim" in output.metrics


def test_all_parts_learn_the_same_encoders_and_keep_heads_of_their_own():
    objective = made()
    objective(batch(objective)).loss.backward()
    trained = [p for p in objective.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    kept = objective.encoders()
    assert list(kept) == ["joint@part10", "motion@part10"]
    for part in objective.parts:
        assert all(part.encoders()[name] is encoder for name, encoder in kept.items())
    heads = [sum(p.requires_grad for p in part.parameters()) for part in objective.parts]
    encoders = sum(len(list(encoder.parameters())) for encoder in kept.values())
    assert len(trained) == sum(heads) - (len(PARTS) - 1) * encoders
    moco = objective.parts[2]
    key, query = (next(each.parameters()) for each in (moco.key, moco.query))
    assert key is not query
    torch.testing.assert_close(key, query.detach())  # moved once, from a copy of it


def test_a_view_that_two_want_is_encoded_once():
    objective = made([{"name": "infonce"}, {"name": "vicreg", "dim": 8}], ["joint@part10"])
    calls = []
    (encoder,) = objective.encoders().values()
    encoder.stem.register_forward_hook(lambda *of: calls.append(1))
    seen = batch(objective)
    assert set(seen.views) == {"first", "second"}
    objective(seen)
    assert len(calls) == 2
    objective(seen)
    assert len(calls) == 4


def test_each_part_moves_its_state_along():
    objective = made()
    teacher = objective.parts[3].teachers
    before = copy.deepcopy(teacher.state_dict())
    output = objective(batch(objective))
    output.loss.backward()
    with torch.no_grad():
        for parameter in objective.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    objective.after_step(0.1)
    after = teacher.state_dict()
    assert any(not torch.equal(after[name], before[name]) for name in before)
    assert int(objective.parts[2].queue.place) == 5
    assert objective.key_views == ("key",)


def test_an_objective_of_ones_own_is_a_part_like_any_other():
    """Also where it copies what it was given."""
    example = Path(__file__).parents[2] / "examples" / "own_objective.py"
    objective = made([{"name": "infonce"}, {"name": f"{example}:Bootstrap", "dim": 6}])
    output = objective(batch(objective))
    output.loss.backward()
    assert output.loss.isfinite()
    slow, fast = (next(each.parameters()) for each in (objective.parts[1].slow, objective.parts[1]))
    assert slow.grad is None
    assert fast.grad is not None


class Other(Objective):
    """It wants another view by a name that others have."""

    Settings = SumSettings

    @classmethod
    def views(cls, settings, augment):
        return {"first": AugmentSettings(shear=9.0)}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([], "one objective or more"),
        ([{"weight": 1.0}], "must name"),
        ([{"name": "infonce"}, {"name": "infonce"}], "each once"),
        ([{"name": "infonce", "weight": -1.0}], "0 or more"),
        ([{"name": "infonse"}], "did you mean 'infonce'"),
        ([{"name": "infonce", "tmperature": 0.1}], "tmperature"),
        ([{"name": "infonce"}, {"name": "test_sum:Other"}], "another view"),
    ],
)
def test_what_cannot_be_summed_is_refused(parts, told):
    with pytest.raises(CrosscaleError, match=told):
        Sum.views(SumSettings(parts), AugmentSettings())
