"""Pre-training: the loop, its schedule, checkpoints and what it watches."""

from crosscale.errors import needs

with needs("training", extra="train"):
    import lightning_fabric  # noqa: F401
    import tensorboard  # noqa: F401
