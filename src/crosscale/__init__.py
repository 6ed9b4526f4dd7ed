"""Recognise human actions from skeletons without labels."""

__version__ = "0.1.0"
