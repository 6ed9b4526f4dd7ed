"""Synthetic recordings in the NTU RGB+D format: for demonstrations, tests and load."""

from crosscale.data.synthetic.recording import ClipName, Recording, record_clips
from crosscale.data.synthetic.write import (
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
