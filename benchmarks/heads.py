"""How well `classify` names clips with few labels, and how honest its probabilities are.

python -m benchmarks.heads STORE... [--encoder body] [--features encoder]

A few clips of each class are drawn from the training part of each store's usual protocol, ten
times; its test part is named. All other clips are there as unlabelled ones. Figures are means over
draws, then over stores.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscale.data.splits import folds, usual
from crosscale.data.store import ClipStore
from crosscale.evaluation.few import Fold, drawn
from crosscale.evaluation.metrics import calibration_error
from crosscale.inference.features import Candidates
from crosscale.inference.head import USUAL, Head, best_temperature, make_head
from crosscale.models.model import load
from crosscale.utils.choices import DRAWS

COUNTS = (1, 2, 3, 5, 10)
HEADS = {
    "linear": ("linear", True),
    "linear, without unlabelled clips": ("linear", False),
    "knn": ("knn", False),
}


class Figures(NamedTuple):
    """Of one head: per cent, points, and the temperature that its test clips ask for."""

    right: float
    error: float
    temperature: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table over the stores that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heads", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE")
    parser.add_argument("--encoder", default="body")
    parser.add_argument("--features", default="encoder", choices=("encoder", "rocket", "both"))
    parser.add_argument("--draws", default=DRAWS, type=int)
    given = parser.parse_args(arguments)
    found: dict[tuple[str, int], list[Figures]] = {}
    for path in given.stores:
        store = ClipStore.open(path)
        candidates = Candidates.of(load(given.encoder), given.features, store.layout)
        for key, figures in judged(store, candidates, given.draws):
            found.setdefault(key, []).append(figures)
    print("| head | labels a class | right, % | calibration error, points | temperature |")
    print("|---|---|---|---|---|")
    for (head, count), each in found.items():
        right, error, _ = np.mean(each, axis=0)
        asked = np.exp(np.mean(np.log([figures.temperature for figures in each])))
        print(f"| {head} | {count} | {right:.1f} | {error:.1f} | {asked:.2f} |", flush=True)


def judged(
    store: ClipStore, candidates: Candidates, draws: int
) -> Iterator[tuple[tuple[str, int], Figures]]:
    """For each head and count the figures of one store, means over draws."""
    (kind,) = candidates.kinds
    x = np.concatenate([*candidates.embedder(kind).chunks(store)])
    known = np.flatnonzero(store.labels >= 0)
    parts = [
        Fold(np.intersect1d(part.train, known), next(iter(part.tests.values())))
        for part in folds(store, usual(store))
    ]
    labelled = drawn(store.labels, parts, draws, counts=COUNTS)
    for name, (head, unlabelled) in HEADS.items():
        for count in COUNTS:
            each = []
            for number, rows in enumerate(labelled):
                train, test = rows[count], parts[number % len(parts)].test
                fitted = make_head(head).fit(
                    x[train],
                    store.labels[train],
                    parts=candidates.parts(kind),
                    unlabelled=np.delete(x, train, axis=0) if unlabelled else None,
                )
                codes = np.searchsorted(fitted.classes_, store.labels[test])
                each.append(figures(fitted, x[test], codes))
            yield (name, count), Figures(*np.mean(each, axis=0))


def figures(fitted: Head, x: NDArray[np.float32], codes: NDArray[np.int64]) -> Figures:
    """Of embeddings (N, D) and their true classes (N,)."""
    probabilities = fitted.predict_proba(x)
    right = probabilities.argmax(axis=1) == codes
    scores = fitted.temperature_ * np.log(np.maximum(probabilities, 1e-300))
    asked = best_temperature(scores, codes, USUAL[fitted.kind])
    error = calibration_error(probabilities, right)
    return Figures(100 * float(right.mean()), 100 * error, asked)


if __name__ == "__main__":
    main()
