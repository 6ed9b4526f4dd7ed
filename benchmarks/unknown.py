"""How far to trust `classify`: some classes are left out of the labels, then all clips are named.

python -m benchmarks.unknown STORE --classes 20 --clips 5 [--apart] [--encoder body]

Per cent, means of ten draws: clips of labelled classes named right, and what cross-validation says
of it; clips called none of these, of labelled classes and of others.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.inference.head import make_head
from crosscale.models.model import load
from crosscale.utils.choices import DRAWS


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for the store that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unknown", description=__doc__)
    parser.add_argument("store", type=Path, metavar="STORE")
    parser.add_argument("--classes", required=True, type=int, help="how many are labelled")
    parser.add_argument("--clips", required=True, type=int, help="of each that are labelled")
    parser.add_argument("--apart", action="store_true", help="half of the people is named only")
    parser.add_argument("--strangers", action="store_true", help="not known who is who")
    parser.add_argument("--encoder", default="body")
    given = parser.parse_args(arguments)
    store = ClipStore.open(given.store)
    x = load(given.encoder).embed(store)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):
        train, test, known = _drawn(store, given.classes, given.clips, given.apart, rng)
        people = None if given.strangers else store.column("subject")[train]
        rest = np.delete(x, train, axis=0)
        head = make_head("linear").fit(x[train], store.labels[train], people, unlabelled=rest)
        taken = head.known(x[test])
        right = (head.predict(x[test]) == store.labels[test])[known].mean()
        draws.append([right, head.cv_accuracy_, 1 - taken[known].mean(), 1 - taken[~known].mean()])
    told = ("right", "said", "known called none of these", "unknown called none of these")
    figures = 100 * np.mean(draws, axis=0)
    print(", ".join(f"{what} {value:.1f}" for what, value in zip(told, figures, strict=True)))


def _drawn(
    store: ClipStore, classes: int, clips: int, apart: bool, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Rows that are labelled, rows to be named, and whether these are of labelled classes."""
    labels, people = np.asarray(store.labels), store.column("subject")
    chosen = rng.permutation(len(store.classes))[:classes]
    seen = np.ones(len(labels), dtype=bool)
    if apart:
        everybody = rng.permutation(np.unique(people))
        seen = np.isin(people, everybody[: len(everybody) // 2])
    train = []
    for label in chosen:
        own = np.flatnonzero((labels == label) & seen)
        train.append(rng.choice(own, min(clips, len(own)), replace=False))
    rows = np.concatenate(train)
    test = np.setdiff1d(np.flatnonzero(~seen if apart else labels >= 0), rows)
    return rows, test, np.isin(labels[test], chosen)


if __name__ == "__main__":
    main()
