"""Imports all that any command needs, for processes that fork commands off themselves."""

import os
import pkgutil
from importlib import import_module

import crosscale

# What commands import only when they come to it: seconds in each fork that would.
ROOMS = ("cli", "evaluation", "inference", "models", "synthesis", "training", "viz")
LATE = (
    "crosscale.readers.datasets.skeleton_scan",
    "lightning_fabric.strategies.ddp",
    "matplotlib.pyplot",
    "sklearn.manifold",
    "torch.utils.tensorboard",
)


def import_all() -> None:
    """Import the modules of all commands, and what they import late; no disk is waited for."""
    os.fsync = lambda descriptor: None  # as in conftest.py
    for module in pkgutil.walk_packages(crosscale.__path__, "crosscale."):
        if module.name.split(".")[1] in ROOMS:
            import_module(module.name)
    for name in LATE:
        import_module(name)
