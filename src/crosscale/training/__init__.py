"""Pre-training: the loop, its schedule, checkpoints and what it watches."""
