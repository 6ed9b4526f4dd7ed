"""What is hidden of a clip: some nodes throughout, and all nodes for some stretches of time."""

import torch
from torch import Tensor
from torch.nn import functional

from crosscale.augment.compose import View
from crosscale.errors import CrosscaleError
from crosscale.objectives.base import Branch

STRETCHES = 8  # of a clip's time, some of which are hidden


def drawn_mask(view: View, branch: Branch, nodes: float, frames: float) -> Tensor:
    """What is left of each clip: 0 where a node is hidden in a frame, else 1.

    It is drawn from the global generator, which a run seeds anew at each step.

    Args:
        view: whose coordinates are (N, C, T, V, M).
        branch: that will see it.
        nodes: share of its nodes that are hidden for the whole clip.
        frames: share of the time that is hidden, in stretches of an eighth of the clip.

    Returns:
        (N, T, V').
    """
    clips, _, length, _, _ = view.coordinates.shape
    unseen = _chosen(clips, len(branch.encoder.graph.names), nodes)
    dark = _chosen(clips, STRETCHES, frames)[:, torch.arange(length) * STRETCHES // length]
    hidden = unseen[:, None, :] | dark[:, :, None]
    return (~hidden).to(view.coordinates)


def hidden_at(mask: Tensor, maps: Tensor) -> Tensor:
    """The share that is hidden of what each place of maps (B, D, V', T') shows: (B, 1, V', T').

    Args:
        mask: of the same bodies, (B, T, V), as `drawn_mask`.
        maps: of them.
    """
    hidden, (nodes, steps) = (1 - mask).transpose(1, 2)[:, None], maps.shape[2:]
    return functional.adaptive_avg_pool2d(hidden, (nodes, steps))


def check_shares(nodes: float, frames: float) -> None:
    """Refuse shares of which nothing would be left."""
    if not (0 <= nodes < 1 and 0 <= frames < 1):
        raise CrosscaleError("nodes and frames are the shares that are hidden: 0 or more, below 1")


def _chosen(rows: int, size: int, share: float) -> Tensor:
    """(rows, size), true for as many of each row as the share says."""
    return torch.rand(rows, size).argsort(dim=1).argsort(dim=1) < round(share * size)
