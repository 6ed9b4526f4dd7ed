"""Two people made of one: pairs of recorded people, to judge encoders by where none were recorded.

python -m benchmarks.pairs STORE... --out FOLDER

A class is two actions and how far from each other they are done, by people who face each other;
in half of the clips the second of them comes first. People who train do not test.
"""

import argparse
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.transforms.preprocess import Preprocess, load, turn

CLASSES, EACH = 24, 10  # clips of each class that train, and that test
GAP = (0.6, 1.5)  # metres


def main(arguments: Sequence[str] | None = None) -> None:
    """Write pairs of each store that the command line names, under its folder's name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--seed", default=0, type=int)
    given = parser.parse_args(arguments)
    for path in given.stores:
        pair(ClipStore.open(path), given.out / path.name, given.seed)


def pair(store: ClipStore, out: Path, seed: int) -> None:
    """Write a store of pairs: odd subjects train, even ones test."""
    rng = np.random.default_rng(seed)
    labels, odd = np.asarray(store.labels), store.column("subject") % 2 == 1
    people = load(store, range(len(store)), Preprocess(frames=48, bodies=1)).coordinates[..., 0]
    actions = [tuple(sorted(rng.integers(len(store.classes), size=2))) for _ in range(CLASSES)]
    gaps = rng.uniform(*GAP, CLASSES)
    names = [
        f"{store.classes[one]} and {store.classes[other]}, {100 * gap:.0f} cm"
        for (one, other), gap in zip(actions, gaps, strict=True)
    ]
    number = count()
    with StoreWriter(out, name=f"{store.name} in pairs", layout=store.layout) as writer:
        for part, own in (("train", odd), ("test", ~odd)):
            for name, both, gap in zip(names, actions, gaps, strict=True):
                for _ in range(EACH):
                    rows = [rng.choice(np.flatnonzero((labels == k) & own)) for k in both]
                    seen = facing(people[rows], float(gap), rng).permute(2, 0, 3, 1).numpy()
                    clip = Clip(f"{next(number):04d}", seen, ("0", "1"), label=name, part=part)
                    writer.add(clip)
        writer.provenance["source"] = f"people of {store.path}, two at a time"


def facing(people: Tensor, gap: float, rng: np.random.Generator) -> Tensor:
    """Two people (2, 3, T, V), each prepared for itself, the second before the first."""
    angle = torch.tensor([[0.0], [np.pi + rng.normal(0, 0.15)]])
    x = turn(people, angle)
    x[1, 2] -= gap * float(np.exp(rng.normal(0, 0.1)))
    x[1, 0] += rng.normal(0, 0.1)
    return x.flip(0) if rng.random() < 0.5 else x


if __name__ == "__main__":
    main()
