import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.augment.edge_cut import Cut, EdgeCut
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout

CPU = torch.device("cpu")
GRAPH = Layout.load("ntu25").scales["joints"]


def drawn(n=400, **cut):
    mask = EdgeCut(Cut(**cut), GRAPH)(n, CPU)
    assert mask is not None
    return mask


def cuts(mask):
    """How many entries each row cuts."""
    return (mask == 0).sum(dim=(1, 2))


@given(most=st.integers(1, 24), direction=st.sampled_from(["both", "one"]), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_only_edges_are_cut_and_never_more_than_allowed(most, direction, seed):
    cut = EdgeCut(Cut(most=most, direction=direction), GRAPH)
    cut.seed(seed)
    mask = cut(30, CPU)
    links = torch.zeros(25, 25, dtype=torch.bool)
    for child, parent in GRAPH.edges:
        links[child, parent] = links[parent, child] = True
    assert mask.shape == (30, 25, 25)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert (mask[:, ~links] == 1).all()
    assert cuts(mask).max() <= most * (2 if direction == "both" else 1)
    assert direction == "one" or torch.equal(mask, mask.mT)


def test_every_number_of_cut_edges_is_as_likely():
    counts = torch.bincount(cuts(drawn(3000, most=2)) // 2, minlength=3) / 3000
    np.testing.assert_allclose(counts, 1 / 3, atol=0.04)


def test_every_edge_is_as_likely():
    mask = drawn(5000, most=2)
    rates = torch.stack([(mask[:, c, p] == 0).float().mean() for c, p in GRAPH.edges])
    np.testing.assert_allclose(rates, 1 / 24, atol=0.015)


def test_one_direction_cuts_the_way_from_node_to_parent():
    mask = drawn(most=24, direction="one")
    child, parent = torch.tensor(GRAPH.edges).unbind(1)
    assert (mask[:, parent, child] == 1).all()
    assert (mask[:, child, parent] == 0).any()


def test_half_the_published_draws_are_self_links_and_cut_nothing():
    mask = drawn(5000, most=1, self_links=True)
    assert abs((cuts(mask) > 0).float().mean() - 0.5 * 24 / 49) < 0.03
    assert (mask.diagonal(dim1=1, dim2=2) == 1).all()


def test_a_ratio_limits_the_share_of_edges():
    assert cuts(drawn(ratio=0.25)).max() == 2 * 6


def test_samples_differ_within_a_batch_but_one_draw_serves_a_batch_if_so_set():
    assert len(drawn(most=2).unique(dim=0)) > 50
    cut = EdgeCut(Cut(most=12, draw="batch"), GRAPH)
    first, second = cut(7, CPU), cut(7, CPU)
    assert first.shape == (1, 25, 25)
    assert not torch.equal(first, second)


def test_a_cut_drawn_once_per_run_stays():
    cut = EdgeCut(Cut(most=12, draw="run"), GRAPH)
    cut.seed(2)
    assert torch.equal(cut(7, CPU), cut(3, CPU))


def test_nothing_to_cut_is_no_mask():
    assert EdgeCut(Cut(), GRAPH)(5, CPU) is None
    assert EdgeCut(Cut(ratio=0.0), GRAPH)(5, CPU) is None


def test_nonsense_is_refused():
    for wrong in ({"most": -1}, {"ratio": 1.5}, {"most": 1, "ratio": 0.5}):
        with pytest.raises(CrosscaleError, match=r"cut\."):
            Cut(**wrong)
    with pytest.raises(CrosscaleError, match="give at most 24"):
        EdgeCut(Cut(most=25), GRAPH)
