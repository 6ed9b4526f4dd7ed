"""Joints, how they hang together, and the coarser scales."""
