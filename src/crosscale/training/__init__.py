"""Pre-training: the loop, its schedule, checkpoints and what it watches."""

from crosscale.utils.registry import Registry

SOURCES = Registry(
    "source",
    "crosscale.sources",
    {
        "store": "crosscale.training.sources:StoreSource",
        "mixed": "crosscale.training.mixed:MixedSource",
    },
    base="Source",
)
