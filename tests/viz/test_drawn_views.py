import dataclasses

import numpy as np
import pytest

from crosscale.augment.edge_cut import Cut
from crosscale.training.recipe import read_recipe
from crosscale.training.setup import make_views
from crosscale.transforms.preprocess import load
from crosscale.viz.drawn_views import PREPARED, drawn_views

ROWS = [0, 2, 4]


def recipe_with(cut: Cut):
    recipe = read_recipe("nwucla/crosscale", {})
    return dataclasses.replace(recipe, augment=dataclasses.replace(recipe.augment, cut=cut))


@pytest.mark.parametrize(
    "cut",
    [
        Cut(most=6),
        Cut(most=6, direction="one", views="both"),
        Cut(most=6, draw="run"),
        Cut(most=6, draw="batch", views="query"),
    ],
    ids=str,
)
def test_the_edges_shown_as_cut_are_those_the_view_lost(store, cut):
    recipe = recipe_with(cut)
    shown = drawn_views(store, ROWS, recipe, seed=3)
    views, clips = make_views(recipe, store.layout), load(store, ROWS, recipe.preprocess)
    query, key = (views(name, clips, 3) for name in ("query", "key"))
    lost = 0
    for view, played in ((query, shown[1::3]), (key, shown[2::3])):
        for i, clip in enumerate(played):
            for scale, edge_mask in view.edge_mask.items():
                graph = store.layout.scale(scale)
                whole = np.eye(len(graph.names), dtype=bool)
                for a, b in graph.edges:
                    whole[a, b] = whole[b, a] = True
                gone = np.zeros_like(whole)
                if edge_mask is not None:
                    gone = whole & (edge_mask.numpy()[i % len(edge_mask)] == 0)
                expected = {frozenset(edge) for edge in np.argwhere(gone).tolist()}
                assert {frozenset(edge) for edge in clip.cut.get(scale, ())} == expected
                lost += len(expected)
    assert lost > 0


def test_coordinates_are_the_views_and_absent_bodies_are_absent(store):
    recipe = read_recipe("nwucla/aimclr", {})
    shown = drawn_views(store, ROWS, recipe, seed=1)
    assert [clip.note for clip in shown[:4]] == [
        PREPARED,
        "query view",
        "key view",
        "extreme view",
    ]
    views = make_views(recipe, store.layout)
    clips = load(store, ROWS, recipe.preprocess)
    for which, view in enumerate(views(name, clips, 1) for name in views.names):
        for i in range(len(ROWS)):
            x = shown[4 * i + 1 + which].coordinates
            expected = view.coordinates[i].permute(1, 3, 2, 0).numpy()
            body_mask = clips.body_mask[i].numpy()
            np.testing.assert_array_equal(x[:, body_mask], expected[:, body_mask])
            assert np.isnan(x[:, ~body_mask]).all()


def test_the_same_seed_draws_the_same_views_and_another_others(store):
    recipe = recipe_with(Cut(most=6))
    first, again, other = (drawn_views(store, ROWS, recipe, seed) for seed in (5, 5, 6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.coordinates, b.coordinates)
        assert a.cut == b.cut
    assert any(
        not np.array_equal(a.coordinates, b.coordinates, True)
        for a, b in zip(first, other, strict=True)
    )
