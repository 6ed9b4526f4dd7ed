"""The published counts of data sets, to see whether what was prepared is the whole of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError


@dataclass(frozen=True)
class Counts:
    """What a data set has after its official list of unusable samples.

    Attributes:
        clips: recordings.
        classes: actions.
        columns: how many different values a column has (`subject`, `camera`, `setup`).
        parts: (training, test) clips of each protocol.
    """

    clips: int
    classes: int
    columns: Mapping[str, int]
    parts: Mapping[str, tuple[int, int]]


OFFICIAL: Mapping[str, Counts] = MappingProxyType(
    {
        "ntu60": Counts(
            clips=56_578,
            classes=60,
            columns={"subject": 40, "camera": 3, "setup": 17},
            parts={"xsub": (40_091, 16_487), "xview": (37_646, 18_932)},
        ),
        "ntu120": Counts(
            clips=113_945,
            classes=120,
            columns={"subject": 106, "camera": 3, "setup": 32},
            parts={"xsub": (63_026, 50_919), "xset": (54_468, 59_477)},
        ),
        "nwucla": Counts(
            clips=1_484,
            classes=10,
            columns={"subject": 10, "camera": 3},
            parts={"xview": (1_020, 464)},
        ),
        "utdmhad": Counts(
            clips=861,
            classes=27,
            columns={"subject": 8},
            parts={"odd_even": (431, 430)},
        ),
    }
)


def differences(store: ClipStore) -> list[str] | None:
    """How a store departs from the published counts of its data set.

    Returns:
        One short sentence for each difference; empty when all agree; None when no counts are
        published for this kind of data set.
    """
    official = OFFICIAL.get(store.name)
    if official is None:
        return None
    found = {"clips": len(store), "classes": len(np.unique(store.labels[store.labels >= 0]))}
    expected = {"clips": official.clips, "classes": official.classes}
    for column, count in official.columns.items():
        values = store.column(column)
        found[f"{column}s"], expected[f"{column}s"] = len(np.unique(values[values >= 0])), count
    told = [
        f"{what}: {count:,}, published {expected[what]:,}"
        for what, count in found.items()
        if count != expected[what]
    ]
    for protocol, (train, test) in official.parts.items():
        try:
            parts = split(store, protocol)
        except CrosscaleError:
            told.append(f"{protocol}: cannot be made of these clips")
            continue
        here = len(parts.train), len(parts.tests["official"])
        if here != (train, test):
            told.append(
                f"{protocol}: {here[0]:,} train and {here[1]:,} test, "
                f"published {train:,} and {test:,}"
            )
    return told
