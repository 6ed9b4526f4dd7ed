"""Few labels: the linear layer trained on a small share of them, drawn several times."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.errors import CrosscaleError
from crosscale.evaluation.features import Features
from crosscale.evaluation.probes.linear import LinearProbe, Normalise, Normaliser

SHARES = (0.01, 0.05, 0.1)  # the field's habit


@dataclass(eq=False, repr=False)
class FewLabels(LinearProbe):
    """The linear layer, trained on a small share of the labels, several times.

    Attributes:
        share: of each class's training clips, above 0 and at most 1; at least one clip a class.
        draws: how many times the clips are drawn; the figures are means over the draws.
    """

    share: float = 0.1
    draws: int = 5

    title = "Linear layer with {:.4g} % of the labels"

    def check(self) -> None:
        """Refuse settings without sense."""
        super().check()
        check_share(self.share)
        if self.draws < 1:
            raise CrosscaleError("draws must be at least 1")


def check_share(share: float) -> None:
    """Refuse what is no share of the labels."""
    if not 0 < share <= 1:
        raise CrosscaleError(f"a share of the labels is above 0 and at most 1: {share}")


def draw(
    train: NDArray[np.int64], labels: NDArray[np.int64], share: float, draws: int, seed: int
) -> list[NDArray[np.int64]]:
    """Draw clips that keep their labels: the same share of every class, rounded.

    A larger share of the same seed holds the smaller one's clips.

    Args:
        train: (N,) numbers of the labelled training clips.
        labels: of all clips, by number.
        share: of each class, above 0 and at most 1; at least one clip a class.
        draws: how many times the clips are drawn.
        seed: of the draws.

    Returns:
        The numbers of each draw's clips, ascending.
    """
    drawn = []
    for number in range(draws):
        shuffled = np.random.default_rng([seed, number]).permutation(train)
        classes = [shuffled[labels[shuffled] == label] for label in np.unique(labels[train])]
        kept = [clips[: max(1, round(share * len(clips)))] for clips in classes]
        drawn.append(np.sort(np.concatenate(kept)))
    return drawn


def normalise_by(features: Features, train: NDArray[np.int64], how: Normalise) -> Features:
    """Normalise by all training clips, which needs no label and is steadier than a few."""
    vectors = {}
    for stream, array in features.vectors.items():
        whole = torch.from_numpy(array)
        vectors[stream] = Normaliser(whole[torch.from_numpy(train)], how)(whole).numpy()
    return replace(features, vectors=vectors)
