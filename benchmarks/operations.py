"""Arithmetic of the published network, whatever shortcuts an implementation takes."""

from crosscale.encoders.stgcn import SUBSETS, EncoderSettings, block_shapes
from crosscale.encoders.temporal import TEMPORAL_KERNEL

TRAINING_PASSES = 4  # query forward, its backward at twice the cost, key forward


def forward_operations(settings: EncoderSettings, nodes: int, frames: int) -> float:
    """Multiplications and additions to encode one body (3, T, V)."""
    total, time = 0.0, frames
    for block, (inputs, outputs, stride) in enumerate(block_shapes(settings)):
        mix = inputs * SUBSETS * outputs
        gather = SUBSETS * outputs * nodes
        total += time * nodes * (mix + gather)
        time = -(-time // stride)
        total += time * nodes * outputs * outputs * TEMPORAL_KERNEL
        if block and (inputs != outputs or stride > 1):
            total += time * nodes * inputs * outputs
    return 2 * total
