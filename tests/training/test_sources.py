"""What a run trains on is the same, whether it is kept in memory or taken from the store."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.training.neighbours import Neighbours
from crosscale.training.recipe import read_recipe
from crosscale.training.setup import make_source, make_views
from crosscale.transforms.preprocess import BONE, StoredClips, load


def made(folder, clips, **options):
    layout = Layout.load("kinect20")
    generator = torch.Generator().manual_seed(0)
    with StoreWriter(folder, name="made", layout=layout, **options) as writer:
        for i in range(clips):
            x = torch.randn(30 + i % 9, 1, 20, 3, generator=generator).numpy()
            writer.add(Clip(f"clip {i}", x, ("0",), label=f"act {i % 3}", subject=i % 4))
    return ClipStore.open(folder)


RECIPE = read_recipe("own/skeletonclr", {"protocol": "all", "preprocess.frames": 40})


def test_batches_are_those_of_clips_preprocessed_at_once(tmp_path):
    store = made(tmp_path / "store", 40)
    data = make_source(RECIPE, [store], torch.device("cpu"))
    whole = load(store, range(len(store)), RECIPE.preprocess)
    for clips in torch.randperm(40, generator=torch.Generator().manual_seed(1)).split(7):
        batch = data.clips.take(clips)
        assert torch.equal(batch.coordinates, whole.coordinates[clips])
        assert torch.equal(batch.body_mask, whole.body_mask[clips])


def test_batches_from_shards_are_those_from_one_file(tmp_path):
    whole, cut = made(tmp_path / "whole", 40), made(tmp_path / "cut", 40, shard_clips=6)
    assert (whole.shards, cut.shards) == (1, 7)
    assert whole.fingerprint == cut.fingerprint
    one, other = (make_source(RECIPE, [s], torch.device("cpu")).clips for s in (whole, cut))
    for clips in torch.randperm(40, generator=torch.Generator().manual_seed(1)).split(7):
        assert torch.equal(one.take(clips).coordinates, other.take(clips).coordinates)
        assert torch.equal(one.take(clips).body_mask, other.take(clips).body_mask)


def test_on_a_processor_memory_does_not_grow_with_the_data(tmp_path):
    few, many = made(tmp_path / "few", 20), made(tmp_path / "many", 2000)
    peaks = []
    for store in (few, many):
        data = make_source(RECIPE, [store], torch.device("cpu"))
        assert isinstance(data.clips, StoredClips)
        data.clips.take(torch.arange(16))  # what is allocated once
        tracemalloc.start()
        for start in range(0, len(data.labels) - 16, 16):
            data.clips.take(torch.arange(start, start + 16))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] + 100_000


def test_stores_are_mixed_in_their_shares(tmp_path):
    stores = [made(tmp_path / "few", 10), made(tmp_path / "many", 40)]
    recipe = read_recipe(
        "own/skeletonclr",
        {"source.name": "mixed", "source.shares": [0.5, 0.5], "source.epoch_clips": 30},
    )
    source = make_source(recipe, stores, torch.device("cpu"))
    order = source.epoch(3)
    assert torch.equal(order, source.epoch(3))
    assert not torch.equal(order, source.epoch(4))
    assert len(order) == source.epoch_clips == 30
    few = order[order < 10]
    assert len(few) == 15  # each of ten at least once
    assert set(few.tolist()) == set(range(10))
    assert len(set(order[order >= 10].tolist())) == 15


def test_a_mixed_batch_holds_each_clip_as_its_store_has_it(tmp_path):
    stores = [made(tmp_path / "few", 10), made(tmp_path / "many", 40)]
    recipe = read_recipe("own/skeletonclr", {"source.name": "mixed"})
    source = make_source(recipe, stores, torch.device("cpu"))
    numbers = torch.tensor([3, 12, 49, 0])
    found = source.take(numbers, ["first"], 0)["first"]
    for number, x in zip(numbers.tolist(), found.coordinates, strict=True):
        store, row = (stores[0], number) if number < 10 else (stores[1], number - 10)
        assert torch.equal(x, load(store, [row], recipe.preprocess).coordinates[0])
    assert source.names[12] == f"made/{stores[1].names[2]}"


def test_a_store_too_many_or_a_share_too_few_is_told(tmp_path):
    store = made(tmp_path / "store", 8)
    with pytest.raises(CrosscaleError, match="--source mixed"):
        make_source(RECIPE, [store, store], torch.device("cpu"))
    recipe = read_recipe("own/sgclr", {"source.name": "mixed", "source.shares": [1.0]})
    with pytest.raises(CrosscaleError, match="one a store"):
        make_source(recipe, [store, store], torch.device("cpu"))


PERFORMED = read_recipe(
    "programs/body", {"source.epoch_clips": 64, "source.partners": 0.3, "training.batch_size": 16}
)


def test_programs_are_performed_afresh_for_every_view_and_step():
    source = make_source(PERFORMED, [], torch.device("cpu"))
    assert (source.epoch_clips, source.layout.name) == (64, "part10")
    clips = source.epoch(0)[:16]
    first, second = (
        source.take(clips, ["first", "second"], seed=3)[v] for v in ("first", "second")
    )
    again = source.take(clips, ["first", "second"], seed=3)["first"]
    later = source.take(clips, ["first", "second"], seed=4)["first"]
    assert first.coordinates.shape == (16, 3, 48, 10, 4)  # two people, each seen from each
    assert set(first.body_mask.sum(1).tolist()) == {1, 4}
    assert torch.equal(first.coordinates, again.coordinates)
    assert not torch.equal(first.coordinates, second.coordinates)
    assert not torch.equal(first.coordinates, later.coordinates)


def test_two_performances_of_a_program_are_more_alike_than_those_of_others():
    source = make_source(PERFORMED, [], torch.device("cpu"))
    clips = torch.arange(64)
    taken = source.take(clips, ["first", "second"], seed=0)
    one, other = (taken[view].coordinates.flatten(1) for view in ("first", "second"))
    distances = torch.cdist(one, other)
    assert distances.diagonal().mean() < 0.9 * distances.mean()


def test_views_change_recordings_and_leave_performances(tmp_path):
    recipe = read_recipe(
        "own/body", {"source.name": "mixed", "source.programs": 0.5, "source.layout": "part10"}
    )
    source = make_source(recipe, [made(tmp_path / "store", 20)], torch.device("cpu"))
    clips = source.epoch(0)
    taken = source.take(clips, ["first", "second"], seed=0)["first"]
    performed = torch.tensor([source.names[clip] == "motion program" for clip in clips])
    assert performed.sum() == 10
    assert torch.equal(taken.final, performed)
    view = make_views(recipe, source.layout)("first", taken, 0).coordinates
    changed = (view != taken.coordinates).flatten(1).any(1)
    assert torch.equal(changed, ~performed)


def test_in_the_plane_performances_have_no_depth():
    recipe = read_recipe("programs/body", {"source.epoch_clips": 8, "source.side": 50})
    source = make_source(recipe, [], torch.device("cpu"))
    x = source.take(torch.arange(8), ["first"], seed=0)["first"].coordinates
    assert x[:, 2].abs().max() == 0
    assert x[:, :2].std() > 0.1


def test_in_the_plane_recordings_are_seen_from_aside_and_their_views_stay_there(tmp_path):
    changes = {"source.name": "mixed", "source.layout": "part10", "source.side": 80}
    recipe = read_recipe("own/body", changes)
    source = make_source(recipe, [made(tmp_path / "store", 20)], torch.device("cpu"))
    taken = source.take(torch.arange(20), ["first", "second"], seed=0)
    one, other = (taken[view].coordinates for view in ("first", "second"))
    assert one[:, 2].abs().max() == other[:, 2].abs().max() == 0
    assert not torch.equal(one, other)
    children, parents = zip(*source.layout.edges, strict=True)
    bones = (one[..., list(children), 0] - one[..., list(parents), 0]).norm(dim=1).mean(2)
    torch.testing.assert_close(bones.median(1).values, torch.full((20,), BONE))
    view = make_views(recipe, source.layout)("first", taken["first"], 0).coordinates
    assert view[:, 2].abs().max() == 0
    assert not torch.equal(view, one)


def test_bodies_of_normal_size_have_bones_of_usual_length():
    source = make_source(PERFORMED, [], torch.device("cpu"))
    x = source.take(torch.arange(16), ["first"], seed=0)["first"].coordinates[..., 0]
    children, parents = zip(*source.layout.edges, strict=True)
    bones = (x[..., list(children)] - x[..., list(parents)]).norm(dim=1).mean(2)
    torch.testing.assert_close(bones.median(1).values, torch.full((16,), BONE))


@pytest.mark.parametrize(
    "changes",
    [
        {"source.programs": 1.5},
        {"source.family": 0},
        {"source.programs": 0.5},
        {"source.epoch_clips": 0},
        {"source.neighbours": -1},
        {"source.passes": -1},
    ],
)
def test_mixtures_that_cannot_be_are_refused(changes):
    recipe = read_recipe("programs/body", changes)
    with pytest.raises(CrosscaleError):
        make_source(recipe, [], torch.device("cpu"))


@pytest.mark.parametrize("data", ["own", "nwucla", "utdmhad", "ntu60", "sensors"])
def test_body_adapts_to_recordings_of_any_recipe_beside_pairs_of_people(tmp_path, data):
    recipe = read_recipe(f"{data}/adapt", {"protocol": "all", "source.epoch_clips": 64})
    source = make_source(recipe, [made(tmp_path / "store", 12)], torch.device("cpu"))
    taken = source.take(source.epoch(0)[:32], ["query", "key"], seed=0)
    assert (recipe.start, source.layout.name) == ("body", "part10")
    assert set(taken) == {"query", "key"}
    assert taken["query"].coordinates.shape == (32, 3, 48, 10, 4)  # two people, from each


def found_by(neighbours, clip):
    return sorted(neighbours.mutual[[clip]].indices.tolist())


def test_clips_stand_in_for_each_other_if_each_is_near_the_other():
    angles = np.radians([0, 1, 2.5, 90, 91, 180, 215])  # the last one's nearest are nearer others
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    neighbours = Neighbours(vectors, 1)
    assert [found_by(neighbours, clip) for clip in range(7)] == [[1], [0], [], [4], [3], [6], [5]]
    clips = np.array([2, 0, 3, 0])
    assert neighbours.instead(clips, seed=0).tolist() == [2, 1, 4, 1]
    assert Neighbours(vectors[:1], 3).instead(np.array([0]), seed=0).tolist() == [0]


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 30), st.integers(1, 40), st.integers(0, 2**32))
def test_neighbours_are_so_both_ways_and_never_the_clip_itself(clips, count, seed):
    vectors = np.random.default_rng(seed).normal(size=(clips, 4)).astype(np.float32)
    neighbours = Neighbours(vectors, count)
    found = [set(found_by(neighbours, clip)) for clip in range(clips)]
    assert all(clip in found[other] for clip in range(clips) for other in found[clip])
    assert all(clip not in own and len(own) <= count for clip, own in enumerate(found))
    order = np.random.default_rng(seed).permutation(clips)
    drawn = neighbours.instead(order, seed)
    for clip, other in zip(order.tolist(), drawn.tolist(), strict=True):
        assert other in (found[clip] or {clip})
    assert drawn.tolist() == neighbours.instead(order, seed).tolist()


NEAR = {"protocol": "all", "source.epoch_clips": 24, "source.programs": 0.0}


def test_neighbours_stand_in_for_recordings_in_all_views_but_the_first(tmp_path):
    store = made(tmp_path / "store", 24)
    alone = make_source(
        read_recipe("own/adapt", {**NEAR, "source.neighbours": 0}), [store], torch.device("cpu")
    )
    source = make_source(read_recipe("own/adapt", NEAR), [store], torch.device("cpu"))
    (neighbours,) = source.neighbours
    clips = torch.arange(24)
    found = source.take(clips, ["first", "second"], seed=3)
    own = alone.take(clips, ["first"], seed=3)["first"].coordinates
    assert torch.equal(found["first"].coordinates, own)
    others = [
        next(i for i in range(24) if torch.equal(own[i], x)) for x in found["second"].coordinates
    ]
    assert all(other in (found_by(neighbours, i) or [i]) for i, other in enumerate(others))
    assert sum(other != i for i, other in enumerate(others)) > 8
    again = source.take(clips, ["second"], seed=3)["second"]
    assert torch.equal(found["second"].coordinates, again.coordinates)
    later = source.take(clips, ["second"], seed=4)["second"]
    assert not torch.equal(found["second"].coordinates, later.coordinates)


def test_where_there_are_few_recordings_programs_make_up_for_them(tmp_path):
    few = {"protocol": "all", "source.epoch_clips": 100, "source.passes": 2}
    for clips, recorded in ((12, 24), (30, 50)):
        store = made(tmp_path / str(clips), clips)
        source = make_source(read_recipe("own/adapt", few), [store], torch.device("cpu"))
        order = source.epoch(0)
        assert len(order) == source.epoch_clips == 100
        assert (order < clips).sum() == recorded
        assert order.bincount()[:clips].max() <= 2


def test_no_store_is_shown_more_often_than_passes_say_whatever_its_share(tmp_path):
    stores = [made(tmp_path / "few", 3), made(tmp_path / "many", 40)]
    shared = {**NEAR, "source.programs": 0.5, "source.epoch_clips": 60}
    recipe = read_recipe("own/adapt", {**shared, "source.shares": [1.0, 1.0], "source.passes": 2})
    order = make_source(recipe, stores, torch.device("cpu")).epoch(0)
    assert len(order) == 60
    assert order.bincount()[:3].tolist() == [2, 2, 2]
    assert ((order >= 3) & (order < 43)).sum() == 15


def test_each_stores_recordings_have_neighbours_among_themselves_seen_from_aside(tmp_path):
    stores = [made(tmp_path / "few", 10), made(tmp_path / "many", 24)]
    recipe = read_recipe("own/adapt", {**NEAR, "source.side": 30.0, "start": "body-2d"})
    source = make_source(recipe, stores, torch.device("cpu"))
    recipe = read_recipe(
        "own/adapt", {**NEAR, "source.side": 30.0, "start": "body-2d", "source.neighbours": 0}
    )
    alone = make_source(recipe, stores, torch.device("cpu"))
    clips = torch.arange(34)
    near, same = (each.take(clips, ["query", "key"], seed=1) for each in (source, alone))
    assert torch.equal(near["query"].coordinates, same["query"].coordinates)
    assert not near["key"].coordinates[:, 2].any()
    changed = (near["key"].coordinates != same["key"].coordinates).flatten(1).any(1)
    has = [
        bool(found_by(of, i))
        for of, n in zip(source.neighbours, (10, 24), strict=True)
        for i in range(n)
    ]
    assert changed.tolist() == has


def test_without_encoders_to_start_from_no_neighbours_are_found(tmp_path):
    recipe = read_recipe("own/body", {"source.name": "mixed", "source.neighbours": 3})
    with pytest.raises(CrosscaleError, match="--start body"):
        make_source(recipe, [made(tmp_path / "store", 8)], torch.device("cpu"))
