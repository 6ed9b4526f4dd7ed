"""Pairs made of recorded people."""

import numpy as np

from benchmarks.pairs import CLASSES, EACH, GAP, main
from crosscale.data.clip import Clip
from crosscale.data.splits import split
from crosscale.data.store import ClipStore


def test_pairs_face_each_other_and_people_who_train_do_not_test(stored, tmp_path):
    rng = np.random.default_rng(0)
    body = rng.normal(0, 0.3, (9, 1, 20, 3)).cumsum(axis=0) / 9
    clips = [
        Clip(f"clip {i}", body + subject, ("0",), label=f"act {i % 3}", subject=subject)
        for i in range(12)
        for subject in [1 + i // 3]
    ]
    store = stored(*clips)
    for out in ("one", "other"):
        main([str(store.path), "--out", str(tmp_path / out)])
    pairs, again = (ClipStore.open(tmp_path / out / store.path.name) for out in ("one", "other"))
    assert pairs.fingerprint == again.fingerprint
    parts = split(pairs, "given")
    assert len(parts.train) == len(parts.tests["test"]) == CLASSES * EACH
    hips = list(store.layout.hips)
    for clip in pairs:
        assert clip.coordinates.shape[1] == 2
        apart = np.diff(clip.coordinates[0][:, hips].mean(axis=1), axis=0)[0]
        assert GAP[0] / 2 < np.hypot(apart[0], apart[2]) < 2 * GAP[1]
