"""What any encoder must beat: guessing, and what needs no training.

That is raw coordinates, MiniRocket (`crosscale.encoders.rocket`), the encoder before training, and
the strongest of it, MultiRocket, where aeon is installed.

Source: Tan, Dempster, Bergmeir and Webb, "MultiRocket: multiple pooling operators and
transformations for fast and effective time series classification" (DMKD 2022), as aeon has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.data.conversion import CoordinateSource, in_layout
from crosscale.data.splits import Split
from crosscale.data.store import ClipStore
from crosscale.encoders.base import mean_over_bodies
from crosscale.errors import CrosscaleError
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.extract import Extraction, extract
from crosscale.evaluation.features import UNLABELLED, Features, merge_features
from crosscale.evaluation.few import Few
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.probes.ridge import RidgeProbe
from crosscale.evaluation.semi import FewLabels
from crosscale.models.checkpoint import TrainedEncoders, load_encoders, untrained
from crosscale.models.hub import resolve
from crosscale.transforms.preprocess import Preprocess, load
from crosscale.utils.progress import tracked

RAW = "raw coordinates"
ROCKET = "MiniRocket"
MULTIROCKET = "MultiRocket"
HALF_WHITE = "MiniRocket, half-whitened"
UNTRAINED = "untrained"
SEEDS = (0, 1, 2)  # of untrained encoders, over which figures are averaged


def chance(labels: NDArray[np.int64]) -> float:
    """Expected accuracy of guessing every class that occurs alike."""
    return 1 / len(np.unique(labels[labels != UNLABELLED]))


def raw_features(store: ClipStore, preprocess: Preprocess) -> Features:
    """Preprocessed coordinates, absent bodies zero, as features that every probe judges."""
    once = replace(preprocess, reference="first")
    clips = load(store, range(len(store)), once).coordinates  # (N, C, T, V, M)
    vectors = {RAW: clips.flatten(start_dim=1).numpy()}
    return Features(store.names, store.labels, store.classes, vectors)


def rocket_features(store: ClipStore) -> Features | None:
    """What the encoder `rocket` says of a store's clips; None where it cannot take their layout."""
    if (seen := _as_rocket_sees(store)) is None:
        return None
    (vectors,) = extract(seen[0], store).vectors.values()
    return Features(store.names, store.labels, store.classes, {ROCKET: vectors})


def multirocket_vectors(store: ClipStore, train: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """MultiRocket's features of clips as the encoder `rocket` sees them, averaged over bodies.

    Args:
        store: the whole data set.
        train: rows of clips, without labels, whose answers give the kernels their biases.

    Returns:
        (N, 49,728); None where aeon is not installed, or `rocket` cannot take the clips' layout.
    """
    try:
        from aeon.transformations.collection.convolution_based import MultiRocket
    except ImportError:
        return None
    if (seen := _as_rocket_sees(store)) is None:
        return None
    rocket, source = seen
    clips = load(source, range(len(store)), rocket.preprocess)
    clip, body = clips.body_mask.nonzero(as_tuple=True)
    series = clips.coordinates.permute(0, 4, 1, 3, 2)[clip, body].flatten(1, 2).numpy()
    kernels = MultiRocket(random_state=0).fit(series[np.isin(clip.numpy(), train)])
    features = torch.from_numpy(np.asarray(kernels.transform(series), np.float32))
    return mean_over_bodies(features, clip, len(store)).numpy()


def _as_rocket_sees(store: ClipStore) -> tuple[TrainedEncoders, CoordinateSource] | None:
    """The encoder `rocket`, and a store in its layout; None where that cannot be."""
    rocket = load_encoders(resolve("rocket"))
    try:
        return rocket, in_layout(store, rocket.layout)
    except CrosscaleError:
        return None


def blank_encoders(
    trained: Mapping[str, TrainedEncoders], seeds: Sequence[int] = SEEDS
) -> Iterator[dict[str, TrainedEncoders]]:
    """The same encoders before training, for each seed; none of those that learn nothing."""
    learning = {run: own for run, own in trained.items() if learns(own)}
    for seed in seeds if learning else ():
        yield {run: untrained(own, seed) for run, own in learning.items()}


def learns(trained: TrainedEncoders) -> bool:
    """Whether anything of the encoders is trained."""
    weights = (p for encoder in trained.encoders.values() for p in encoder.parameters())
    return any(weight.requires_grad for weight in weights)


def baselines(
    probes: Sequence[Any],
    trained: Mapping[str, TrainedEncoders],
    store: ClipStore,
    folds: Sequence[Split],
    *,
    seed: int = 0,
    how: Extraction,
) -> dict[str, dict[str, float]]:
    """Top-1 on each test of what trained encoders must beat.

    Args:
        probes: that judged the frozen encoders; raw coordinates are also judged by the nearest
            neighbour and by a linear layer fitted by least squares, whatever the probes are, and
            MultiRocket by the latter alone.
        trained: the encoders by run; the untrained ones have their shapes and streams, and the
            raw coordinates the preprocessing of the first.
        store: the whole data set.
        folds: training and test clips, see `evaluate_features`.
        seed: of the probes; the figures of untrained encoders are means over three seeds of theirs.
        how: what is read of the untrained encoders.
    """
    first = next(iter(trained.values()))
    device = str(first.device)
    several = {
        UNTRAINED: [
            merge_features({run: extract(own, store, how) for run, own in blank.items()})
            for blank in blank_encoders(trained)
        ],
        RAW: [raw_features(store, first.preprocess)],
    }
    rocket = rocket_features(store)
    if rocket is not None:
        several |= {ROCKET: [rocket], HALF_WHITE: [rocket]}
    judged = [(name, probe) for probe in probes for name in several if several[name]]
    if not any(isinstance(probe, KnnProbe | FewLabels | Few) for probe in probes):
        judged.append((RAW, KnnProbe()))
    if not any(isinstance(probe, RidgeProbe | FewLabels | Few) for probe in probes):
        judged.append((RAW, RidgeProbe()))
    multirocket = multirocket_vectors(store, folds[0].train)  # no label is seen
    if multirocket is not None:
        vectors = {MULTIROCKET: multirocket}
        several[MULTIROCKET] = [Features(store.names, store.labels, store.classes, vectors)]
        judged.append((MULTIROCKET, RidgeProbe()))
    found = {}
    for name, probe in tracked(judged, "judging baselines", len(judged)):
        each = [
            evaluate_features(
                probe, features, folds, seed=seed, device=device, half_white=name == HALF_WHITE
            )
            for features in several[name]
        ]
        found[f"{name}, {each[0].title.lower()}"] = {
            test: float(np.mean([one.headline_top1[test] for one in each]))
            for test in each[0].headline_top1
        }
    return found
