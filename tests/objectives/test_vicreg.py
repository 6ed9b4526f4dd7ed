"""VICReg's terms against a plain computation, and what they pull towards."""

from functools import partial

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool1d

from crosscale.augment.compose import View
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Batch, StreamSpec
from crosscale.objectives.vicreg import VICReg, VICRegSettings
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream

NTU = Layout.load("ntu25")
TINY = EncoderSettings(hidden=2, width=8, dropout=0.0)


def made(streams=("joint",), **settings):
    torch.manual_seed(0)
    parsed = [Stream.parse(name) for name in streams]
    specs = [StreamSpec(s, NTU, partial(STGCN, s.graph(NTU), TINY)) for s in parsed]
    return VICReg(specs, VICRegSettings(**{"dim": 6, **settings}))


def batch():
    views = {
        name: View(torch.randn(5, 3, 12, 25, 2), {}, torch.ones(5, 2, dtype=torch.bool))
        for name in ("first", "second")
    }
    return Batch(views, torch.arange(5))


def test_the_terms_are_those_of_the_paper_written_plainly():
    torch.manual_seed(1)
    one, other = torch.randn(7, 4), torch.randn(7, 4)
    loss, terms = made(invariance=2.0, variance=3.0, covariance=5.0)._compared(one, other)
    expected = {"invariance": 0.0, "variance": 0.0, "covariance": 0.0}
    for i in range(7):
        for d in range(4):
            expected["invariance"] += float(one[i, d] - other[i, d]) ** 2 / 28
    for vectors in (one, other):
        mean = [sum(float(v[d]) for v in vectors) / 7 for d in range(4)]
        for d in range(4):
            variance = sum((float(v[d]) - mean[d]) ** 2 for v in vectors) / 7
            expected["variance"] += max(0.0, 1 - (variance + 1e-4) ** 0.5) / 8
            for e in range(4):
                if d != e:
                    shared = sum((float(v[d]) - mean[d]) * (float(v[e]) - mean[e]) for v in vectors)
                    expected["covariance"] += (shared / 6) ** 2 / 4
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4), name
    whole = 2 * expected["invariance"] + 3 * expected["variance"] + 5 * expected["covariance"]
    assert float(loss) == pytest.approx(whole, rel=1e-4)


def test_vectors_that_are_all_alike_cost_and_those_spread_evenly_do_not():
    _, alike = made()._compared(torch.ones(8, 4), torch.ones(8, 4))
    assert float(alike["variance"]) > 0.98
    spread = torch.cat([2 * torch.eye(4), -2 * torch.eye(4)])
    _, even = made()._compared(spread, spread)
    assert float(even["covariance"]) == pytest.approx(0, abs=1e-6)
    assert float(even["invariance"]) == 0


def test_every_weight_of_every_stream_learns():
    objective = made(("joint", "motion@part10"))
    output = objective(batch())
    output.loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
    assert list(objective.encoders()) == ["joint", "motion@part10"]
    parts = sum(output.metrics[f"{name}/loss"] for name in objective.encoders())
    torch.testing.assert_close(output.loss.detach(), parts)


def test_nodes_and_stretches_of_time_are_compared_too():
    objective, seen = made(dense=0.5), batch()
    whole, _ = made()._compared(*_vectors(objective, seen, objective.projectors[0]))
    (dense,) = objective.dense
    maps = [objective.branches[0].body_maps(seen.views[v]).maps for v in ("first", "second")]
    each = [m.unflatten(0, (5, 2)).mean(dim=1) for m in maps]  # of a clip's two bodies
    nodes = [m.mean(dim=3).transpose(1, 2).flatten(0, 1) for m in each]
    of_time = [adaptive_avg_pool1d(m.mean(dim=2), 4).transpose(1, 2).flatten(0, 1) for m in each]
    further = [objective._compared(*(dense(v) for v in pair))[0] for pair in (nodes, of_time)]
    torch.testing.assert_close(objective(seen).loss, whole + 0.5 * sum(further))


def _vectors(objective, seen, project):
    return [project(objective.branches[0](seen.views[name])) for name in ("first", "second")]


def test_a_part_of_the_second_view_is_hidden_where_that_is_wanted():
    seen, losses = batch(), []
    for nodes in (0.0, 0.3, 0.3):
        torch.manual_seed(2)
        losses.append(made(nodes=nodes, frames=nodes)(seen).loss)
    assert losses[0] != losses[1] == losses[2]


def test_impossible_settings_are_refused():
    with pytest.raises(CrosscaleError, match="0 or more"):
        made(variance=-1.0)
