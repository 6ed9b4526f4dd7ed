"""Imports all that any command needs, for processes that fork commands off themselves."""

import pkgutil
from importlib import import_module

import crosscale.cli

# What commands import only when they come to it: seconds in each fork that would.
LATE = (
    "crosscale.readers.datasets.skeleton_scan",
    "lightning_fabric.strategies.ddp",
    "matplotlib.pyplot",
    "sklearn.manifold",
    "torch.utils.tensorboard",
)


def import_all() -> None:
    """Import the modules of all commands, and what they import late."""
    for module in pkgutil.iter_modules(crosscale.cli.__path__, "crosscale.cli."):
        import_module(module.name)
    for name in LATE:
        import_module(name)
