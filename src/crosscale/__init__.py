"""Recognise human actions from skeletons without labels.

import crosscale

model = crosscale.load_model("parts")      # or a run folder
vectors = model.embed(clips)               # one vector a clip
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscale.api import pretrain as pretrain
    from crosscale.models.model import load as load
    from crosscale.models.model import load_model as load_model

__version__ = "0.2.0"
# Where each name comes from: imported when first used, because PyTorch takes seconds.
_HOMES = {
    "load": "crosscale.models.model",
    "load_model": "crosscale.models.model",
    "pretrain": "crosscale.api",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crosscale' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
