"""The learning rate over the epochs."""

import math

from crosscale.training.recipe import Optimisation


def learning_rate(settings: Optimisation, epoch: float) -> float:
    """The learning rate at a point in training.

    Args:
        settings: rate, schedule, milestones and warm-up.
        epoch: passes over the data so far; a fraction within an epoch counts for warm-up and
            cosine.
    """
    rate = settings.learning_rate
    if epoch < settings.warmup:
        return rate * (epoch + 1e-3) / settings.warmup
    if settings.schedule == "step":
        return rate * 0.1 ** sum(epoch >= milestone for milestone in settings.milestones)
    done = (epoch - settings.warmup) / max(1, settings.epochs - settings.warmup)
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
