"""Stores as they are recorded outside of laboratories."""

import numpy as np
import pytest

from benchmarks.wild import LOST, main
from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore


@pytest.fixture
def store(stored):
    rng = np.random.default_rng(0)
    still = rng.normal(size=(20, 2))
    clips = [
        Clip(f"clip {i}", (still + rng.normal(size=(40, 1, 1, 2))), ("0",), label="act")
        for i in range(3)
    ]
    return stored(*clips)


def rewritten(store, what, out):
    main([str(store.path), "--what", what, "--out", str(out)])
    return ClipStore.open(out / store.path.name)


def test_a_loosely_cut_clip_holds_the_clip(store, tmp_path):
    found = rewritten(store, "loose", tmp_path / "one")
    assert found.fingerprint == rewritten(store, "loose", tmp_path / "other").fingerprint
    for loose, clip in zip(found, store, strict=True):
        whole = loose.coordinates
        assert len(clip.coordinates) <= len(whole) <= 3 * len(clip.coordinates)
        same = [np.array_equal(whole[i : i + 40], clip.coordinates) for i in range(len(whole) - 39)]
        assert sum(same) == 1


@pytest.mark.parametrize("what", LOST)
def test_what_is_in_sight_stays(what, store, tmp_path):
    joints = store.layout.joints
    words, share = LOST[what]
    for lost, clip in zip(rewritten(store, what, tmp_path / "out"), store, strict=True):
        changed = (lost.coordinates != clip.coordinates).any(-1)[:, 0]
        assert lost.present.all()
        assert {joints[j] for j in np.flatnonzero(changed.any(0))} == {
            name for name in joints if any(word in name for word in words)
        }
        assert changed.any(1).sum() <= round(share * len(changed))
