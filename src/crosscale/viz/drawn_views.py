"""The training views of clips, as a recipe draws them, with the edges cut in them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from crosscale.augment.compose import View
from crosscale.data.store import ClipStore
from crosscale.skeleton.layout import Layout
from crosscale.training.recipe import Recipe
from crosscale.training.setup import make_views
from crosscale.transforms.preprocess import load
from crosscale.viz.player_clip import Edges, PlayedClip, stored_clip

PREPARED = "before the views"


def drawn_views(
    store: ClipStore, rows: Sequence[int], recipe: Recipe, seed: int
) -> list[PlayedClip]:
    """For each clip, first as prepared for the network, then each of its views.

    Args:
        store: where the clips are.
        rows: N clips.
        recipe: says how clips are prepared and how views are drawn.
        seed: of the draw; the same one with the same clips gives the same views.

    Returns:
        N times 3 clips; 4 where the recipe trains with an extreme view.

    Raises:
        CrosscaleError: when the store's layout lacks a scale of the recipe.
    """
    views = make_views(recipe, store.layout)
    clips = load(store, rows, replace(recipe.preprocess, reference="first"))  # each body once
    shown = {PREPARED: View(clips.coordinates, {}, clips.body_mask)}
    shown |= {f"{name} view": views(name, clips, seed) for name in views.names}
    played = {
        note: (
            _with_absent(view.coordinates, clips.body_mask),
            _cuts(view, store.layout, len(rows)),
        )
        for note, view in shown.items()
    }
    return [
        PlayedClip(
            recorded.name,
            coordinates[i],
            store.layout,
            label=recorded.label,
            note=note,
            rate=recorded.rate,
            recorded=recorded.recorded,
            cut=cuts[i],
        )
        for i, recorded in enumerate(stored_clip(store, row) for row in rows)
        for note, (coordinates, cuts) in played.items()
    ]


def _with_absent(x: Tensor, body_mask: Tensor) -> np.ndarray:
    """(N, C, T, V, M) to (N, T, M, V, C), NaN where a body is absent."""
    bodies = x.permute(0, 2, 4, 3, 1).masked_fill(~body_mask[:, None, :, None, None], float("nan"))
    return bodies.numpy()


def _cuts(view: View, layout: Layout, count: int) -> list[dict[str, Edges]]:
    """For each of `count` clips, the edges of each scale that its view has lost."""
    cuts: list[dict[str, Edges]] = [{} for _ in range(count)]
    for scale, edge_mask in view.edge_mask.items():
        if edge_mask is None:
            continue
        edges = layout.scale(scale).edges
        child, parent = np.array(edges).T
        kept = edge_mask.numpy()
        lost = (kept[:, child, parent] == 0) | (kept[:, parent, child] == 0)  # (N or 1, E)
        for own, row in zip(cuts, np.broadcast_to(lost, (count, len(edges))), strict=True):
            own[scale] = [edges[i] for i in np.flatnonzero(row)]
    return cuts
