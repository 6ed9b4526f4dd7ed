"""What a run trains on is the same, whether it is kept in memory or taken from the store."""

import tracemalloc

import pytest
import torch

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.training.loop import make_source
from crosscale.training.recipe import read_recipe
from crosscale.transforms.preprocess import StoredClips, load


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
