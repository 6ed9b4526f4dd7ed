"""What one camera sees of a store in space."""

import numpy as np

from benchmarks.plane import main
from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore


def test_a_store_seen_by_a_camera_keeps_everything_but_depth(stored, tmp_path):
    rng = np.random.default_rng(0)
    clips = [
        Clip(f"clip {i}", rng.normal(size=(9, 1, 20, 3)), ("0",), label="act", subject=i)
        for i in range(3)
    ]
    store = stored(*clips)
    for out in ("one", "other"):
        main([str(store.path), "--out", str(tmp_path / out)])
    seen, again = (ClipStore.open(tmp_path / out / store.path.name) for out in ("one", "other"))
    assert seen.fingerprint == again.fingerprint
    assert list(seen.names) == list(store.names)
    np.testing.assert_array_equal(seen.labels, store.labels)
    for flat, deep in zip(seen, store, strict=True):
        assert flat.coordinates.shape == (*deep.coordinates.shape[:-1], 2)
        assert (flat.subject, flat.camera) == (deep.subject, deep.camera)
        np.testing.assert_array_equal(flat.present, deep.present)
