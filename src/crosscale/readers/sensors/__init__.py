"""Depth sensors."""
