"""By what clips are told apart: an encoder, MiniRocket, or both, whichever does better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from crosscale.errors import CrosscaleError
from crosscale.inference.head import Head
from crosscale.inference.head_file import FittedHead, check_encoder, load_head
from crosscale.models.model import Model, load_model
from crosscale.models.side_by_side import Embedder, SideBySide
from crosscale.skeleton.layout import Layout
from crosscale.utils.choices import FeatureChoice
from crosscale.utils.progress import tracked

FeatureKind = Literal["encoder", "rocket", "both"]
ROCKET = "rocket"  # the encoder that nobody trained
NAMES: Mapping[FeatureKind, str] = MappingProxyType(
    {"encoder": "the encoder", "rocket": "MiniRocket", "both": "both side by side"}
)


@dataclass(frozen=True, eq=False)
class Candidates:
    """An encoder and MiniRocket, for clips of one layout.

    Attributes:
        model: the encoder.
        rocket: MiniRocket; None where it is the encoder itself, or cannot take the clips.
        kinds: what there is to choose from, the shortest vectors first.
    """

    model: Model
    rocket: Model | None
    kinds: tuple[FeatureKind, ...]

    @classmethod
    def of(cls, model: Model, choice: FeatureChoice, layout: Layout) -> "Candidates":
        """What a choice leaves.

        Args:
            model: the encoder.
            choice: one kind, or `auto` for all that can be computed.
            layout: of the clips.

        Raises:
            CrosscaleError: when what is asked for cannot be computed.
        """
        if choice == "encoder":
            return cls(model, None, ("encoder",))
        rocket: Model | None = rocket_beside(model)
        if rocket is None or choice != "auto":
            if rocket is not None:
                rocket.check_layout(layout)
            return cls(model, rocket, ("encoder" if choice == "auto" else choice,))
        try:
            rocket.check_layout(layout)
        except CrosscaleError:
            return cls(model, None, ("encoder",))
        return cls(model, rocket, get_args(FeatureKind))

    @property
    def widest(self) -> Embedder:
        """What gives the vectors that `columns` takes."""
        return self.embedder(self.kinds[-1])

    def embedder(self, kind: FeatureKind) -> Embedder:
        """What gives the vectors of a kind."""
        if kind == "encoder" or self.rocket is None:
            return self.model
        return self.rocket if kind == "rocket" else SideBySide([self.model, self.rocket])

    def columns(self, vectors: NDArray[np.float32], kind: FeatureKind) -> NDArray[np.float32]:
        """The vectors (N, D) of a kind, of those (N, D') of the widest one."""
        if kind == self.kinds[-1]:
            return vectors
        part = slice(self.model.dim) if kind == "encoder" else slice(self.model.dim, None)
        return vectors[:, part] * np.float32(2**0.5)

    def parts(self, kind: FeatureKind) -> tuple[int, ...] | None:
        """Lengths of the blocks of a kind's vectors, where there are several."""
        if kind != "both" or self.rocket is None:
            return None
        return self.model.dim, self.rocket.dim


@dataclass(frozen=True, eq=False)
class Chosen:
    """The features that were chosen.

    Attributes:
        kind: of the features.
        head: fitted on them.
        why: which they are, with the figures that decided; empty where there was no choice.
    """

    kind: FeatureKind
    head: Head
    why: str = ""


def fit_best(
    candidates: Candidates,
    vectors: NDArray[np.float32],
    labels: NDArray[Any],
    groups: NDArray[Any] | None,
    make: Callable[[], Head],
    unlabelled: NDArray[np.float32] | None = None,
) -> Chosen:
    """Fit a head on each kind of features, and take the one that names most held-out clips right.

    Where nothing can be held out, both side by side are taken: neither can be told to be worse.

    Args:
        candidates: the kinds.
        vectors: (N, D) of the widest one, of the labelled clips.
        labels: (N,) their classes.
        groups: (N,) what is held out together, see `Head.fit`.
        make: a new head.
        unlabelled: (U, D) of the widest one, of other clips.
    """
    heads: dict[FeatureKind, Head] = {}
    kinds = candidates.kinds
    for kind in tracked(kinds, "comparing features", len(kinds)):
        x = candidates.columns(vectors, kind)
        rest = None if unlabelled is None else candidates.columns(unlabelled, kind)
        heads[kind] = make().fit(x, labels, groups, candidates.parts(kind), rest)
    if len(heads) == 1:
        ((kind, head),) = heads.items()
        return Chosen(kind, head)
    last = candidates.kinds[-1]
    if not heads[last].cv_clips_:
        return Chosen(
            last, heads[last], f"{NAMES[last]} (no labelled clip can be spared to compare them)"
        )
    best = max(heads, key=lambda kind: heads[kind].cv_accuracy_)
    return Chosen(best, heads[best], _why(best, {k: h.cv_accuracy_ for k, h in heads.items()}))


def saved(path: Path, model: Model) -> tuple[FittedHead, Embedder]:
    """A saved head, and what gives the embeddings that it judges.

    Raises:
        CrosscaleError, BadCheckpoint: as `load_head`.
    """
    fitted = load_head(path)
    if fitted.features not in get_args(FeatureKind):
        raise CrosscaleError(f"{path} knows features '{fitted.features}': this version does not")
    kind = cast(FeatureKind, fitted.features)
    rocket = None if kind == "encoder" else rocket_beside(model)
    embedder = Candidates(model, rocket, (kind,)).widest
    check_encoder(fitted, path, embedder.fingerprint)
    return fitted, embedder


def rocket_beside(model: Model) -> Model | None:
    """MiniRocket, on the encoder's device; None where that is the encoder."""
    rocket = load_model(ROCKET, device=model.trained.device)
    return None if rocket.fingerprint == model.fingerprint else rocket


def _why(best: FeatureKind, accuracy: Mapping[FeatureKind, float]) -> str:
    figures = ", ".join(f"{NAMES[kind]} {100 * value:.1f} %" for kind, value in accuracy.items())
    equal = [*accuracy.values()].count(accuracy[best]) > 1
    taken = "; of equals the first is taken" if equal else ""
    return f"{NAMES[best]} (held-out labelled clips named right: {figures}{taken})"
