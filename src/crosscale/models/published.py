"""The published code's weight names, both ways.

The published encoder stores temporal kernels as (C, C, 9, 1), the three subsets' weights in one
1x1 convolution, and each block's edge weights apart from the block.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from crosscale.encoders.stgcn import SUBSETS
from crosscale.errors import BadCheckpoint
from crosscale.utils.text import listed

AXES = 3
# Published name and this package's; # stands for a block's number, * for the rest of the name.
_NAMES = [
    ("A", "adjacency"),
    ("data_bn.*", "input_norm.*"),
    ("edge_importance.#", "blocks.#.edge_weight"),
    ("st_gcn_networks.#.gcn.conv.*", "blocks.#.spatial.*"),
    ("st_gcn_networks.#.tcn.0.*", "blocks.#.spatial_norm.*"),
    ("st_gcn_networks.#.tcn.2.*", "blocks.#.temporal.*"),
    ("st_gcn_networks.#.tcn.3.*", "blocks.#.temporal_norm.*"),
    ("st_gcn_networks.#.residual.*", "blocks.#.around.*"),
]


def _renaming(names: list[tuple[str, str]]) -> Callable[[str], str | None]:
    """From the first of each pair to the second; None for a name that fits none."""
    rules = [
        (
            re.compile(
                re.escape(old).replace(r"\#", r"(?P<block>\d+)").replace(r"\*", "(?P<rest>.+)")
            ),
            new.replace("#", r"\g<block>").replace("*", r"\g<rest>"),
        )
        for old, new in names
    ]

    def rename(name: str) -> str | None:
        found = ((pattern.fullmatch(name), new) for pattern, new in rules)
        return next((match.expand(new) for match, new in found if match), None)

    return rename


_to_ours = _renaming(_NAMES)
_to_theirs = _renaming([(ours, theirs) for theirs, ours in _NAMES])


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
        renamed = _to_ours(name)
        if renamed is None:
            unknown.append(name)
        else:
            ours[renamed] = _reshape_in(renamed, value)
    if unknown:
        raise BadCheckpoint(
            f"not weights of the published encoder ({len(unknown)}): {listed(sorted(unknown), 3)}"
        )
    return ours


def to_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's weights under the published names: the inverse of `from_published`.

    Where each axis is normalised over all joints, which the published encoder does not know, its
    weights are repeated for every joint; the encoder computes the same.
    """
    nodes = weights["adjacency"].shape[-1]
    theirs = {}
    for name, value in weights.items():
        if name.startswith("input_norm.") and value.numel() == AXES:
            value = value.repeat(nodes)
        renamed = _to_theirs(name)
        if renamed is None:
            raise BadCheckpoint(f"the published encoder has no weight like {name}")
        theirs[renamed] = _reshape_out(name, value)
    return theirs


def load_whole(module: nn.Module, weights: Mapping[str, Tensor], origin: str) -> None:
    """Load weights completely, or not at all.

    Raises:
        BadCheckpoint: as `check_whole`.
    """
    check_whole(module.state_dict(), weights, origin)
    module.load_state_dict(weights)


def check_whole(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], origin: str) -> None:
    """Compare names and shapes of weights with those expected.

    Raises:
        BadCheckpoint: with the number and the first of the missing, unexpected and misshapen keys.
    """
    missing, unexpected = sorted(expected.keys() - weights), sorted(weights.keys() - expected)
    misshapen = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & weights.keys())
        if expected[name].shape != weights[name].shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
    lines = [f"{what} ({len(names)}): {listed(names, 3)}" for what, names in kinds if names]
    if lines:
        raise BadCheckpoint(
            f"{origin} does not fit{_hint(missing, unexpected)}\n" + "\n".join(lines)
        )


def _hint(missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """Whether all would fit but for the beginning of their names."""
    for longer, shorter, what in ((unexpected, missing, "without"), (missing, unexpected, "with")):
        ends = [name.removesuffix(shorter[0]) for name in longer if shorter]
        for prefix in filter(None, dict.fromkeys(ends)):
            if {prefix + name for name in shorter} <= set(longer):
                return f": its names would, {what} '{prefix}' before them"
    return ""


def _reshape_in(name: str, value: Tensor) -> Tensor:
    if name.endswith("temporal.weight"):
        return value.transpose(2, 3).contiguous()
    if name.endswith("spatial.weight"):
        return value.reshape(SUBSETS, -1, value.shape[1]).contiguous()
    if name.endswith("spatial.bias"):
        return value.reshape(SUBSETS, -1)
    return value if torch.is_tensor(value) else torch.as_tensor(value)


def _reshape_out(name: str, value: Tensor) -> Tensor:
    """The inverse of `_reshape_in`."""
    if name.endswith("temporal.weight"):
        return value.transpose(2, 3).contiguous()
    if name.endswith("spatial.weight"):
        return value.reshape(-1, value.shape[2], 1, 1)
    if name.endswith("spatial.bias"):
        return value.flatten()
    return value
