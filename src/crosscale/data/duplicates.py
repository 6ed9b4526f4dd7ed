"""Finds what makes a test easier than it looks: clips that are there twice."""

from dataclasses import dataclass

import numpy as np

from crosscale.data.splits import protocols, split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError


@dataclass(frozen=True)
class PartsCheck:
    """Identical clips in the parts of one protocol.

    Attributes:
        protocol: its name.
        train: clips of the training part.
        test: clips of the headline's test.
        duplicates: (test clip, a training clip with the same coordinates), in the test's order.
        within_train: groups of identical training clips, by name.
        within_test: groups of identical test clips, by name.
    """

    protocol: str
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
        protocol: the one to look at; None takes all that come with the store.

    Raises:
        CrosscaleError: when the store is damaged, or cannot serve the protocol asked for.
    """
    store.verify()
    parts, not_served = [], {}
    for name in protocols(store) if protocol is None else (protocol,):
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
    parts = split(store, protocol)
    test = next(iter(parts.tests.values()))
    digests = store.column("digest")
    trained = {digests[i]: store.names[i] for i in reversed(parts.train)}
    return PartsCheck(
        protocol=parts.name,
        train=len(parts.train),
        test=len(test),
        duplicates=tuple(
            (store.names[i], trained[digests[i]]) for i in test if digests[i] in trained
        ),
        within_train=_repeated(store, parts.train),
        within_test=_repeated(store, test),
    )


def _repeated(store: ClipStore, rows: np.ndarray) -> tuple[tuple[str, ...], ...]:
    digests = store.column("digest")
    groups: dict[str, list[str]] = {}
    for i in rows:
        groups.setdefault(digests[i], []).append(store.names[i])
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)
