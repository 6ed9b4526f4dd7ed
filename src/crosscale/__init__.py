"""Recognise human actions from skeletons without labels."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscale.models.model import load as load

__version__ = "0.2.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`crosscale.load`, imported when first used, because PyTorch takes seconds."""
    if name == "load":
        from crosscale.models.model import load

        return load
    raise AttributeError(f"module 'crosscale' has no attribute '{name}'")
