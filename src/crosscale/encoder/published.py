"""The published code's weight names, both ways.

The published encoder stores temporal kernels as (C, C, 9, 1), the three subsets' weights in one
1x1 convolution, and each block's edge weights apart from the block.
"""

import re

import torch
from torch import Tensor, nn

from crosscale.encoder.stgcn import SUBSETS
from crosscale.errors import BadCheckpoint

_RULES = [
    (r"^A$", "adjacency"),
    (r"^data_bn\.", "input_norm."),
    (r"^edge_importance\.(\d+)$", r"blocks.\1.edge_weight"),
    (r"^st_gcn_networks\.(\d+)\.gcn\.conv\.", r"blocks.\1.spatial."),
    (r"^st_gcn_networks\.(\d+)\.tcn\.0\.", r"blocks.\1.spatial_norm."),
    (r"^st_gcn_networks\.(\d+)\.tcn\.2\.", r"blocks.\1.temporal."),
    (r"^st_gcn_networks\.(\d+)\.tcn\.3\.", r"blocks.\1.temporal_norm."),
    (r"^st_gcn_networks\.(\d+)\.residual\.", r"blocks.\1.around."),
]


def from_published(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Encoder weights under this package's names; `fc` weights (the head) are left out.

    Raises:
        BadCheckpoint: naming weights that no rule knows.
    """
    ours: dict[str, Tensor] = {}
    unknown = []
    for name, value in weights.items():
        if name.startswith("fc."):
            continue
        for pattern, replacement in _RULES:
            renamed, hits = re.subn(pattern, replacement, name)
            if hits:
                ours[renamed] = _reshape_in(renamed, value)
                break
        else:
            unknown.append(name)
    if unknown:
        raise BadCheckpoint(f"not weights of the published encoder: {', '.join(sorted(unknown))}")
    return ours


def head_from_published(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The two-layer head's weights (`fc.0`, `fc.2`) under this package's names."""
    names = {"fc.0.": "hidden.", "fc.2.": "out."}
    return {
        names[name[:5]] + name[5:]: value for name, value in weights.items() if name[:5] in names
    }


def load_whole(module: nn.Module, weights: dict[str, Tensor], origin: str) -> None:
    """Load weights completely, or not at all.

    Raises:
        BadCheckpoint: naming every missing, unexpected and misshapen key.
    """
    expected = module.state_dict()
    missing = sorted(set(expected) - set(weights))
    unexpected = sorted(set(weights) - set(expected))
    misshapen = sorted(
        f"{k} {tuple(weights[k].shape)} instead of {tuple(expected[k].shape)}"
        for k in set(expected) & set(weights)
        if expected[k].shape != weights[k].shape
    )
    problems = [
        f"{what}: {', '.join(keys)}"
        for what, keys in [
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshapen),
        ]
        if keys
    ]
    if problems:
        raise BadCheckpoint(f"{origin} does not fit; {'; '.join(problems)}")
    module.load_state_dict(weights)


def _reshape_in(name: str, value: Tensor) -> Tensor:
    if name.endswith("temporal.weight"):
        return value.transpose(2, 3).contiguous()
    if name.endswith("spatial.weight"):
        return value.reshape(SUBSETS, -1, value.shape[1]).contiguous()
    if name.endswith("spatial.bias"):
        return value.reshape(SUBSETS, -1)
    return value if torch.is_tensor(value) else torch.as_tensor(value)
