"""Pose estimators, of people and animals."""
