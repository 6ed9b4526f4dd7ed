"""How fast everything is, as ratios to a plain way of doing it measured in the same run."""
