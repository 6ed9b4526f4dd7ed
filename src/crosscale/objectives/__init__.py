"""What is learned without labels: the contract is in `base`, one file an objective."""

from crosscale.utils.registry import Registry

OBJECTIVES = Registry(
    "objective", "crosscale.objectives", package="crosscale.objectives", base="Objective"
)
