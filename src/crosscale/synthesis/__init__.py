"""Synthetic recordings in the NTU RGB+D format: for demonstrations, tests and load.

As in NTU RGB+D, all cameras see the same performance: where the protocol parts cameras (xview),
every test clip has twins in the training part and comparing raw coordinates that face the front
finds them. Where it parts subjects (xsub), the action's place in time, the actor's size and
manner, and the view mislead such a comparison.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscale.synthesis.recording import ClipName as ClipName
    from crosscale.synthesis.recording import Recording as Recording
    from crosscale.synthesis.recording import record_clips as record_clips
    from crosscale.synthesis.write import SyntheticSet as SyntheticSet
    from crosscale.synthesis.write import SyntheticSettings as SyntheticSettings
    from crosscale.synthesis.write import skeleton_text as skeleton_text
    from crosscale.synthesis.write import write_synthetic as write_synthetic

# Imported when first used, because PyTorch takes seconds, and `manner` has no need of it.
_HOMES = {
    "ClipName": "crosscale.synthesis.recording",
    "Recording": "crosscale.synthesis.recording",
    "SyntheticSet": "crosscale.synthesis.write",
    "SyntheticSettings": "crosscale.synthesis.write",
    "record_clips": "crosscale.synthesis.recording",
    "skeleton_text": "crosscale.synthesis.write",
    "write_synthetic": "crosscale.synthesis.write",
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
