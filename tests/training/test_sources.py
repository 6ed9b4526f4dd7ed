"""What a run trains on is the same, whether it is kept in memory or taken from the store."""

import tracemalloc

import torch

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.skeleton.layout import Layout
from crosscale.training.recipe import read_recipe
from crosscale.training.sources import load_training
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
    data = load_training(store, RECIPE, torch.device("cpu"))
    whole = load(store, range(len(store)), RECIPE.preprocess)
    for clips in torch.randperm(40, generator=torch.Generator().manual_seed(1)).split(7):
        batch = data.clips.take(clips)
        assert torch.equal(batch.coordinates, whole.coordinates[clips])
        assert torch.equal(batch.body_mask, whole.body_mask[clips])


def test_batches_from_shards_are_those_from_one_file(tmp_path):
    whole, cut = made(tmp_path / "whole", 40), made(tmp_path / "cut", 40, shard_clips=6)
    assert (whole.shards, cut.shards) == (1, 7)
    assert whole.fingerprint == cut.fingerprint
    one, other = (load_training(s, RECIPE, torch.device("cpu")).clips for s in (whole, cut))
    for clips in torch.randperm(40, generator=torch.Generator().manual_seed(1)).split(7):
        assert torch.equal(one.take(clips).coordinates, other.take(clips).coordinates)
        assert torch.equal(one.take(clips).body_mask, other.take(clips).body_mask)


def test_on_a_processor_memory_does_not_grow_with_the_data(tmp_path):
    few, many = made(tmp_path / "few", 20), made(tmp_path / "many", 2000)
    peaks = []
    for store in (few, many):
        data = load_training(store, RECIPE, torch.device("cpu"))
        assert isinstance(data.clips, StoredClips)
        data.clips.take(torch.arange(16))  # what is allocated once
        tracemalloc.start()
        for start in range(0, len(data.labels) - 16, 16):
            data.clips.take(torch.arange(start, start + 16))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] + 100_000
