"""Stores in space as one camera sees them, in the plane, to judge encoders of the plane by.

python -m benchmarks.plane STORE... --side 180 --out FOLDER
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscale.data.store import ClipStore, StoreWriter

JITTER = 0.02  # standard deviation of an estimator's error, of the height of what is seen


def main(arguments: Sequence[str] | None = None) -> None:
    """Write each store that the command line names, under its folder's name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plane", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--side", default=180.0, type=float, help="degrees at most (180)")
    parser.add_argument("--seed", default=0, type=int)
    given = parser.parse_args(arguments)
    for path in given.stores:
        project(ClipStore.open(path), given.out / path.name, given.side, given.seed)


def project(store: ClipStore, out: Path, side: float, seed: int) -> None:
    """Write a store whose clips were each seen from a random side, with jitter, without depth."""
    rng = np.random.default_rng(seed)
    with StoreWriter(out, name=store.name, layout=store.layout, classes=store.classes) as writer:
        for clip in store:
            angle = np.radians(rng.uniform(-side, side))
            writer.add(replace(clip, coordinates=_seen(clip.coordinates, float(angle), rng)))
        writer.provenance["source"] = f"{store.path}, seen from up to {side:g} degrees aside"


def _seen(
    coordinates: NDArray[np.float32], angle: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(T, M, V, 3) to (T, M, V, 2)."""
    x, y, z = np.moveaxis(coordinates, -1, 0)
    seen = np.stack([np.cos(angle) * x + np.sin(angle) * z, y], axis=-1)
    height = np.nanmedian(np.ptp(y, axis=2))
    jitter = rng.normal(0, JITTER * height, seen.shape)
    moved: NDArray[np.float32] = (seen + jitter).astype(np.float32)
    return moved


if __name__ == "__main__":
    main()
