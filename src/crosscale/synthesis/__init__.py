"""Synthetic recordings in the NTU RGB+D format: for demonstrations, tests and load.

As in NTU RGB+D, all cameras see the same performance: where the protocol parts cameras (xview),
every test clip has twins in the training part and comparing raw coordinates that face the front
finds them. Where it parts subjects (xsub), the action's place in time, the actor's size and
manner, and the view mislead such a comparison.
"""

from crosscale.synthesis.recording import ClipName, Recording, record_clips
from crosscale.synthesis.write import (
    SyntheticSet,
    SyntheticSettings,
    skeleton_text,
    write_synthetic,
)

__all__ = [
    "ClipName",
    "Recording",
    "SyntheticSet",
    "SyntheticSettings",
    "record_clips",
    "skeleton_text",
    "write_synthetic",
]
