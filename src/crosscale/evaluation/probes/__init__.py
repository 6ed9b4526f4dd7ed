"""Probes: scikit-learn classifiers that tell what features are worth. One file each.

A probe of one's own is a class in a file, or any classifier of an installed package:

    crosscale evaluate my_file:Prototypes RUN
    crosscale evaluate sklearn.svm:LinearSVC RUN --C 0.1

It needs `fit(X, y)`, one of `decision_function`, `predict_proba` and `predict`, and `get_params`,
which scikit-learn's `BaseEstimator` brings. Where it has parameters of these names, they are given
to it: `random_state` is the seed, `device` where the evaluation runs, and `parts` the lengths of
the parts of a feature vector, one a layer.
"""

import dataclasses
from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.config import built
from crosscale.errors import CrosscaleError, refuse_unknown
from crosscale.utils.registry import Registry

PROBES = Registry(
    "probe",
    "crosscale.probes",
    {
        "retrieval": "crosscale.evaluation.retrieval:Retrieval",
        "few": "crosscale.evaluation.few:Few",
        "semi": "crosscale.evaluation.semi:FewLabels",
        "finetune": "crosscale.evaluation.finetune:Finetune",
    },
    package="crosscale.evaluation.probes",
    base="Probe",
    methods=("fit", "get_params"),
)
GIVEN = ("random_state", "device", "parts")  # parameters that the evaluation sets


def make_probe(name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """A probe, ready to be fitted.

    Args:
        name: registered, or an import path of a class or of an instance, such as a pipeline.
        settings: its parameters by name.

    Raises:
        CrosscaleError: when there is no such probe or parameter, or a value does not fit.
    """
    kind, settings = PROBES.load(name), dict(settings or {})
    refuse_unknown(settings, parameters(kind), f"{name} has no setting")
    if not isinstance(kind, type):
        from sklearn.base import clone  # which a list of probes can do without

        return clone(kind).set_params(**settings)
    try:
        made: Any = built(kind, settings) if dataclasses.is_dataclass(kind) else kind(**settings)
    except (TypeError, ValueError) as error:
        raise CrosscaleError(f"{name} cannot be made: {error}") from error
    if hasattr(made, "check"):
        made.check()
    return made


def parameters(kind: Any) -> list[str]:
    """Names of what a user may set of a probe, a class or an instance."""
    names = signature(kind).parameters if isinstance(kind, type) else kind.get_params()
    return [name for name in names if name not in GIVEN]


def settings_of(probe: Any) -> dict[str, Any]:
    """A probe's settings as files keep them, without what the evaluation gives."""
    values = probe.get_params(deep=False)
    return {name: _plain(value) for name, value in values.items() if name not in GIVEN}


def title_of(probe: Any) -> str:
    """What a report calls a probe."""
    title = str(getattr(probe, "title", type(probe).__name__))
    return title.format(100 * probe.share) if hasattr(probe, "share") else title


def class_scores(probe: Any, x: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """What a fitted probe says of features.

    Args:
        probe: fitted with labels in 0..classes-1.
        x: (N, D) features.
        classes: number of all classes K.

    Returns:
        (N, K) scores: the highest is the answer. A class without training clips comes last.

    Raises:
        CrosscaleError: when the probe gives something else than a finite score for each class.
    """
    if hasattr(probe, "decision_function"):
        own = np.asarray(probe.decision_function(x))
    elif hasattr(probe, "predict_proba"):
        own = np.asarray(probe.predict_proba(x))
    else:
        own = np.asarray(probe.predict(x))[:, None] == probe.classes_
    if own.ndim == 1:  # two classes, as scikit-learn scores them
        own = np.stack([-own / 2, own / 2], axis=1)
    if own.shape != (len(x), len(probe.classes_)):
        raise CrosscaleError(
            f"{title_of(probe)} gives scores of shape {own.shape} for {len(x)} clips of "
            f"{len(probe.classes_)} classes"
        )
    own = own.astype(np.float32)
    if not np.isfinite(own).all():
        raise CrosscaleError(f"{title_of(probe)} gives scores that are not finite")
    scores = np.tile(own.min(axis=1, keepdims=True) - 1, classes)
    scores[:, probe.classes_] = own
    return scores


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, str | int | float) else repr(value)
