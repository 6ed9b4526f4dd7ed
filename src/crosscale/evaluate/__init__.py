"""Judging a frozen encoder."""
