"""Recognise human actions from skeletons without labels.

From a prepared store to vectors and a figure:

    import crosscale

    store = crosscale.open_store("stores/mine")           # made by `crosscale prepare`
    crosscale.pretrain("own/skeletonclr", "stores/mine", "runs/mine")
    model = crosscale.load_model("runs/mine")             # or "body", which comes with crosscale
    vectors = model.embed(store)                          # one vector a clip
    crosscale.evaluate("knn", "runs/mine", store).headline_top1
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscale.api import list_encoders as list_encoders
    from crosscale.api import list_objectives as list_objectives
    from crosscale.api import list_recipes as list_recipes
    from crosscale.api import open_store as open_store
    from crosscale.api import pretrain as pretrain
    from crosscale.data.clip import Clip as Clip
    from crosscale.encoders import create_encoder as create_encoder
    from crosscale.evaluation.runner import evaluate as evaluate
    from crosscale.models.model import load as load
    from crosscale.models.model import load_model as load_model
    from crosscale.skeleton.layout import Layout as Layout
    from crosscale.transforms.dataset import ClipDataset as ClipDataset

__version__ = "0.2.0"
# Where each name comes from: imported when first used, because PyTorch takes seconds.
_HOMES = {
    "Clip": "crosscale.data.clip",
    "ClipDataset": "crosscale.transforms.dataset",
    "Layout": "crosscale.skeleton.layout",
    "create_encoder": "crosscale.encoders",
    "evaluate": "crosscale.evaluation.runner",
    "list_encoders": "crosscale.api",
    "list_objectives": "crosscale.api",
    "list_recipes": "crosscale.api",
    "load": "crosscale.models.model",
    "load_model": "crosscale.models.model",
    "open_store": "crosscale.api",
    "pretrain": "crosscale.api",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crosscale' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
