"""A fitted head in one safetensors file: numbers as tensors, the rest as JSON beside them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from crosscale.errors import BadCheckpoint, CrosscaleError, nearest
from crosscale.inference.head import HEADS, Head, LinearHead
from crosscale.utils.tensors import read_safetensors, write_safetensors

FORMAT = "crosscale head 2"
OLDER = "crosscale head 1"  # says `moments` for `subclips`; fine-tuned layers bore this name too
# What a head has learned besides classes, temperature and threshold.
_COMMON = ("clips_", "counts_", "typical_")
_TENSORS = {"linear": (*_COMMON, "mean_", "scale_", "coef_", "intercept_"), "knn": _COMMON}


@dataclass(frozen=True)
class FittedHead:
    """A fitted head with class names, and whose embeddings it judges.

    Attributes:
        head: fitted on class names.
        encoder: fingerprint of the encoder that made the embeddings.
        subclips: whether it learned from subclips too.
        features: what the embeddings are of, see `crosscale.inference.features`.
    """

    head: Head
    encoder: str
    subclips: bool = False
    features: str = "encoder"


def save_head(fitted: FittedHead, path: Path) -> None:
    """Write a head whole or not at all.

    Raises:
        CrosscaleError: when the file cannot be written.
    """
    head = fitted.head
    facts = {
        "format": FORMAT,
        "kind": head.kind,
        "encoder": fitted.encoder,
        "subclips": fitted.subclips,
        "features": fitted.features,
        "classes": [str(name) for name in head.classes_],
        "false_rejection": head.false_rejection,
        "temperature": head.temperature_,
        "threshold": None if np.isinf(head.threshold_) else head.threshold_,
        "cv_accuracy": None if np.isnan(head.cv_accuracy_) else head.cv_accuracy_,
        "cv_clips": head.cv_clips_,
        "cv_groups": head.cv_groups_,
    }
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(getattr(head, name)))
        for name in _TENSORS[head.kind]
    }
    write_safetensors(path, tensors, facts)


def load_head(path: Path, encoder: str | None = None) -> FittedHead:
    """Read what `save_head` wrote; nothing in the file is executed.

    Args:
        path: the file.
        encoder: fingerprint of the encoder whose embeddings it must go with.

    Raises:
        CrosscaleError: when there is none, or it goes with another encoder.
        BadCheckpoint: when it is damaged, or another program's.
    """
    if not path.is_file():
        near = nearest(str(path), HEADS)
        make = f"make one with crosscale classify RUN STORE --save {path}"
        raise CrosscaleError(
            f"no head at {path}: {near if near.startswith('did you mean') else make}"
        )
    tensors, facts = read_safetensors(path, FORMAT, OLDER)
    if "kind" not in facts:
        raise BadCheckpoint(
            f"{path} holds layers that were fine-tuned with an encoder, and is no head: make one "
            f"with crosscale classify RUN STORE --save {path}"
        )
    try:
        head = HEADS[facts["kind"]](float(facts["false_rejection"]))
        for name in _TENSORS[head.kind]:
            setattr(head, name, tensors[name].numpy())
        head.classes_ = np.array([str(name) for name in facts["classes"]])
        head.temperature_ = float(facts["temperature"])
        head.threshold_ = _number(facts["threshold"], -np.inf)
        head.cv_accuracy_ = _number(facts["cv_accuracy"], np.nan)
        head.cv_clips_ = int(facts["cv_clips"])
        head.cv_groups_ = int(facts.get("cv_groups", 0))  # older heads held out clips alone
        fitted_on = str(facts["encoder"])
        subclips = bool(facts.get("subclips", facts.get("moments", False)))
        features = str(facts.get("features", "encoder"))
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{path} lacks or spoils {error}; fit the head again") from error
    _check(head, path)
    fitted = FittedHead(head, fitted_on, subclips, features)
    if encoder is not None:
        check_encoder(fitted, path, encoder)
    return fitted


def check_encoder(fitted: FittedHead, path: Path, encoder: str) -> None:
    """Refuse a head of other embeddings.

    Raises:
        CrosscaleError: when it was fitted on those of another encoder.
    """
    if encoder != fitted.encoder:
        raise CrosscaleError(
            f"{path} was fitted on embeddings of another encoder ({fitted.encoder[:12]}, not "
            f"{encoder[:12]}): name that encoder's run, or fit the head again"
        )


def _number(value: float | None, absent: float) -> float:
    return absent if value is None else float(value)


def _check(head: Head, path: Path) -> None:
    """The parts must fit each other, else a wrong answer would look like a right one."""
    classes, ok = len(head.classes_), head.temperature_ > 0
    width = head.n_features_in_ = head.clips_.shape[-1]
    ok &= head.counts_.shape == head.typical_.shape == (classes,)
    ok &= bool((head.counts_ > 0).all()) and head.clips_.shape == (head.counts_.sum(), width)
    if isinstance(head, LinearHead):
        ok &= head.coef_.shape == (classes, width) and head.intercept_.shape == (classes,)
        ok &= head.mean_.shape == head.scale_.shape == (width,)
    ok &= all(np.isfinite(getattr(head, name)).all() for name in _TENSORS[head.kind])
    if not ok:
        raise BadCheckpoint(f"{path} holds parts that do not fit each other; fit the head again")
