"""Judging what an encoder has learned, frozen or fine-tuned."""
