"""Stores as they are recorded outside of laboratories: cut loosely, or with joints out of sight.

python -m benchmarks.wild STORE... --what loose --out FOLDER
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscale.data.bodies import with_gaps_filled
from crosscale.data.store import ClipStore, StoreWriter

TREMBLE = 0.003  # standard deviation of somebody who stands still, of the body's height
# What is out of sight: words that the names of joints have, and in how many of the frames.
LOST = {
    "legs": (("knee", "ankle", "foot"), 1.0),
    "hips": (("hip", "spine", "knee", "ankle", "foot"), 1.0),
    "legs-half": (("knee", "ankle", "foot"), 0.5),
    "hand-half": (("left_wrist", "left_hand"), 0.5),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write each store that the command line names, under its folder's name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wild", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE")
    parser.add_argument("--what", required=True, choices=["loose", *LOST])
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--seed", default=0, type=int)
    given = parser.parse_args(arguments)
    for path in given.stores:
        rewrite(ClipStore.open(path), given.out / path.name, given.what, given.seed)


def rewrite(store: ClipStore, out: Path, what: str, seed: int) -> None:
    """Write a store whose clips were recorded so."""
    rng = np.random.default_rng(seed)
    joints = store.layout.joints
    with StoreWriter(out, name=store.name, layout=store.layout, classes=store.classes) as writer:
        for clip in store:
            if what == "loose":
                coordinates = loosely(clip.coordinates, rng)
            else:
                hidden = without(clip.coordinates, joints, *LOST[what], rng)
                coordinates = with_gaps_filled(hidden, joints, clip.name).coordinates
            writer.add(replace(clip, coordinates=coordinates.astype(np.float32)))
        writer.provenance["source"] = f"{store.path}, recorded with: {what}"


def loosely(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A clip (T, M, V, C) before and after which all stand still, each for up to as long as it."""
    before, after = (int(share * len(x)) for share in rng.uniform(size=2))
    longer = np.concatenate([np.repeat(x[:1], before, 0), x, np.repeat(x[-1:], after, 0)])
    height = np.nanmedian(np.ptp(x[..., 1], axis=2))
    trembling = rng.normal(0, TREMBLE * height, longer.shape)
    trembling[before : before + len(x)] = 0
    moved: NDArray[np.float32] = (longer + trembling).astype(np.float32)
    return moved


def without(
    x: NDArray[np.float32],
    joints: Sequence[str],
    words: Sequence[str],
    share: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A clip (T, M, V, C) with some joints NaN in a stretch of its frames."""
    hidden = x.copy()
    own = [j for j, name in enumerate(joints) if any(word in name for word in words)]
    frames = round(share * len(x))
    begin = int(rng.integers(len(x) - frames + 1))
    hidden[begin : begin + frames, :, own] = np.nan
    return hidden


if __name__ == "__main__":
    main()
