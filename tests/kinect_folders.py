"""Folders in the form of NW-UCLA's and UTD-MHAD's, of made-up figures."""

import json

import numpy as np
from scipy.io import savemat

FRAMES = 12


def skeletons(action, clip):
    """A random figure whose joints swing, faster with the action's number: (T, 20, 3)."""
    draws = np.random.default_rng(clip)
    swing = np.sin(np.arange(FRAMES) * (action + 1) / 3)[:, None, None]
    figure = np.random.default_rng(0).normal(size=(20, 3))
    return figure + 0.1 * swing + 0.02 * draws.normal(size=(FRAMES, 20, 3))


def write_nwucla(folder, clips=24):
    """Two actions before three cameras."""
    place = folder / "all_sqe"
    place.mkdir(parents=True)
    for clip in range(clips):
        action, camera, subject = clip % 2, 1 + clip // 2 % 3, 1 + clip // 6
        name = f"a0{action + 1}_s{subject:02d}_e00_v0{camera}"
        made = skeletons(action, clip).tolist()
        content = {"file_name": name, "skeletons": made, "label": action + 1}
        (place / f"{name}.json").write_text(json.dumps(content))


def write_utdmhad(folder, clips=24):
    """Two actions by four people."""
    folder.mkdir(parents=True)
    for clip in range(clips):
        name = f"a{clip % 2 + 1}_s{1 + clip // 6}_t{1 + clip // 2 % 3}_skeleton.mat"
        savemat(folder / name, {"d_skel": skeletons(clip % 2, clip).transpose(1, 2, 0)})
