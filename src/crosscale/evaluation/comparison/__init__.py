"""Comparing methods on several data sets with several seeds."""
