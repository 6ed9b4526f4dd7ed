"""Finds what makes a test easier than it looks: clips that are there twice."""

from dataclasses import dataclass

import numpy as np

from crosscale.data.splits import folds, protocols, usual
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError


@dataclass(frozen=True)
class PartsCheck:
    """Identical clips in the parts of one protocol.

    Attributes:
        protocol: its name.
        folds: how many splits it makes; each clip is in the test of one of them.
        train: clips of the training part, of the first fold.
        test: clips of the headline's test, of all folds.
        duplicates: (test clip, a training clip with the same coordinates), in the test's order.
        within_train: groups of identical training clips, by name; none for several folds, of which
            these are the others' test clips.
        within_test: groups of identical test clips, by name.
    """

    protocol: str
    folds: int
    train: int
    test: int
    duplicates: tuple[tuple[str, str], ...]
    within_train: tuple[tuple[str, ...], ...]
    within_test: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class CheckReport:
    """What is there twice in a store.

    Attributes:
        clips: how many there are.
        repeated: groups of identical clips anywhere in the store, by name.
        parts: one for each protocol that the store can serve.
        not_served: protocols that it cannot serve, and why.
    """

    clips: int
    repeated: tuple[tuple[str, ...], ...]
    parts: tuple[PartsCheck, ...]
    not_served: dict[str, str]


def check(store: ClipStore, protocol: str | None = None) -> CheckReport:
    """Verify a store's checksums and look for clips with identical coordinates.

    Args:
        store: a prepared data set.
        protocol: the one to look at; None takes all that come with the store, or else the folds
            that judge it.

    Raises:
        CrosscaleError: when the store is damaged, or cannot serve the protocol asked for.
    """
    store.verify()
    parts, not_served = [], {}
    for name in (protocols(store) or (usual(store),)) if protocol is None else (protocol,):
        try:
            parts.append(_check_parts(store, name))
        except CrosscaleError as error:
            if protocol is not None:
                raise
            not_served[name] = str(error)
    return CheckReport(
        len(store), _repeated(store, np.arange(len(store))), tuple(parts), not_served
    )


def _check_parts(store: ClipStore, protocol: str) -> PartsCheck:
    parts = folds(store, protocol)
    tests = [headline for part in parts for headline in [*part.tests.values()][:1]]
    digests = store.column("digest")
    duplicates = []
    for part in parts:
        trained = {digests[i]: store.names[i] for i in reversed(part.train)}
        duplicates += [(store.names[i], trained[digests[i]]) for i in part.leaked]
    return PartsCheck(
        protocol=parts[0].name,
        folds=len(parts),
        train=len(parts[0].train),
        test=sum(map(len, tests)),
        duplicates=tuple(duplicates),
        within_train=_repeated(store, parts[0].train) if len(parts) == 1 else (),
        within_test=tuple(group for test in tests for group in _repeated(store, test)),
    )


def _repeated(store: ClipStore, rows: np.ndarray) -> tuple[tuple[str, ...], ...]:
    digests = store.column("digest")
    groups: dict[str, list[str]] = {}
    for i in rows:
        groups.setdefault(digests[i], []).append(store.names[i])
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)
