"""Recognise human actions from skeletons without labels."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscale.models.model import load as load
    from crosscale.models.model import load_model as load_model

__version__ = "0.2.0"
__all__ = ["__version__", "load", "load_model"]


def __getattr__(name: str) -> Any:
    """What is imported when first used, because PyTorch takes seconds."""
    if name in ("load", "load_model"):
        from crosscale.models.model import load_model

        return load_model
    raise AttributeError(f"module 'crosscale' has no attribute '{name}'")
