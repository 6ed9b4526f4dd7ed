"""The losses, as pure functions of queries, keys and queues.

B branches each hold their own queries and keys (N, D) and queue (K, D), all of unit length. The
queues of all branches hold the same samples at the same places.
"""

from typing import Literal

import torch
from torch import Tensor

MultiPositive = Literal["mean_log", "log_sum"]
_NEVER = -1e4  # of no weight in any softmax, yet finite: minus infinity times a mask's 0 is NaN


def full_precision(beside: Tensor) -> torch.autocast:
    """Similarities over a temperature lose what tells two clips apart when 8 bits hold them."""
    return torch.autocast(beside.device.type, enabled=False)


def infonce_logits(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Similarity of each query to its own key and to the queue, over the temperature.

    Source: He et al., "Momentum contrast" (CVPR 2020), equation 1.

    Args:
        query: (N, D).
        key: (N, D).
        queue: (K, D).
        temperature: divides the similarities.

    Returns:
        (N, 1 + K); the positive is in column 0.
    """
    own = (query * key).sum(dim=1, keepdim=True)
    return torch.cat([own, query @ queue.T], dim=1) / temperature


def nearest_in_queue(
    query: Tensor, queue: Tensor, topk: int, barred: Tensor | None = None
) -> Tensor:
    """Which queue entries are the most similar to each query: (N, K), `topk` ones a row.

    Entries that are `barred` (N, K) come last.
    """
    similarity = query @ queue.T
    if barred is not None:
        similarity = similarity.masked_fill(barred, -torch.inf)
    best = similarity.topk(min(topk, queue.shape[0]), dim=1).indices
    return torch.zeros_like(similarity).scatter_(1, best, 1.0)


def cross_logits(
    logits: list[Tensor], neighbours: list[Tensor], *, context: bool, temperature: float
) -> list[tuple[Tensor, Tensor]]:
    """Each branch's logits and mask of positives, mined in the other branches.

    Source: CrosSCLR (Li et al., CVPR 2021), section 3.4, and the paper's stage 2.

    Args:
        logits: of each branch, (N, 1 + K), from `infonce_logits`.
        neighbours: of each branch, (N, K), from `nearest_in_queue`.
        context: append, for each other branch, the product of both branches' similarities to the
            queue as further logits with the same mask.
        temperature: with which the logits were divided.

    Returns:
        For each branch, logits and mask of the same shape: (N, 1 + K), or with context
        (N, 1 + K·B) for B branches.
    """
    result = []
    own = torch.ones_like(logits[0][:, :1])
    for branch, mine in enumerate(logits):
        others = [o for o in range(len(logits)) if o != branch]
        mined = torch.stack([neighbours[o] for o in others]).amax(dim=0)
        columns, mask = [mine], [own, mined]
        if context:
            for other in others:
                columns.append(mine[:, 1:] * logits[other][:, 1:] * temperature)
                mask.append(neighbours[other])
        result.append((torch.cat(columns, dim=1), torch.cat(mask, dim=1)))
    return result


def multi_positive(logits: Tensor, mask: Tensor, reduction: MultiPositive) -> Tensor:
    """The loss with several positives a sample.

    Args:
        logits: (N, L).
        mask: 1 where a column is a positive, else 0, (N, L).
        reduction: `mean_log`: −mean over the positives of log-softmax (the published code);
            `log_sum`: −log of the positives' share of the sum of exponentials (the paper).
    """
    log_share = torch.log_softmax(logits, dim=1)
    if reduction == "mean_log":
        return -((log_share * mask).sum(dim=1) / mask.sum(dim=1)).mean()
    return -torch.logsumexp(log_share.masked_fill(mask == 0, -torch.inf), dim=1).mean()


def same_clip_logits(
    logits: Tensor, mask: Tensor, own: Tensor, role: Literal["left_out", "positive"]
) -> tuple[Tensor, Tensor]:
    """Take a clip's own older keys out of the negatives.

    Args:
        logits: (N, 1 + K), or (N, 1 + K·B) with context.
        mask: 1 where a column is a positive, else 0, of the same shape.
        own: (N, K), which queue entries are keys of the query's own clip.
        role: what they become.
    """
    if role == "positive":
        return logits, mask.masked_fill(_columns(own, logits), 1.0)
    return leave_out(logits, own), mask.masked_fill(_columns(own, logits), 0.0)


def leave_out(logits: Tensor, own: Tensor) -> Tensor:
    """Logits in which a clip's own older keys have no weight; shapes as in `same_clip_logits`."""
    return logits.masked_fill(_columns(own, logits), _NEVER)


def _columns(own: Tensor, logits: Tensor) -> Tensor:
    """Where in the logits the queue entries of (N, K) stand, once or with their contexts."""
    repeats = (logits.shape[1] - 1) // own.shape[1]
    return torch.cat([torch.zeros_like(own[:, :1]), own.repeat(1, repeats)], dim=1)


def divergence(logits: Tensor, follower: Tensor) -> Tensor:
    """How far a view's similarities are from those of the query, which they should follow.

    Source: AimCLR (Guo et al., AAAI 2022), the distributional divergence loss.

    Args:
        logits: (N, 1 + K) of the query, taken as given.
        follower: (N, 1 + K) of the other view, against the same keys.

    Returns:
        The mean cross entropy.
    """
    target = torch.softmax(logits.detach(), dim=1)
    return -(target * torch.log_softmax(follower, dim=1)).sum(dim=1).mean()
