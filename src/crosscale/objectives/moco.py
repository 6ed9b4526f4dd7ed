"""Momentum contrast within and across streams.

SkeletonCLR, AimCLR, SGCLR, CrosSCLR, CrosView and CrosScale are settings of the one class below;
the recipes in `recipes/method` show how few lines they differ by.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn

from crosscale.augment.compose import AugmentSettings, View
from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.objectives.attention_drop import drop_energetic
from crosscale.objectives.base import Batch, Mined, Objective, Output, StreamSpec
from crosscale.objectives.heads import ProjectionHead
from crosscale.objectives.losses import (
    MultiPositive,
    cross_logits,
    divergence,
    full_precision,
    infonce_logits,
    leave_out,
    multi_positive,
    nearest_in_queue,
    same_clip_logits,
)
from crosscale.objectives.queue import KeyQueue

# AimCLR's extreme augmentations (Guo et al., AAAI 2022, section 3.2).
EXTREME = AugmentSettings(mirror=0.5, tilt=30.0, reverse=0.5, jitter=0.05, blur=2.0, axis=0.5)


@dataclass(frozen=True)
class MoCoSettings:
    """What is contrasted with what.

    Attributes:
        dim: length of the embedding.
        queue: how many past keys serve as negatives.
        momentum: of the key encoder's moving average.
        temperature: divides similarities.
        mining_start: share of the epochs after which each branch finds positives for the others
            (stage 2); null for never.
        mine: whose similarities find a branch's further positives: those of the `others`
            (CrosSCLR, CrosScale), or its `own`, also of its extreme views (AimCLR).
        topk: positives mined by each view that mines.
        context: append the products of two branches' similarities as further logits.
        extreme_weight: of the loss that makes extreme views follow the query's similarities
            (AimCLR); 0 for no such views.
        extreme: the augmentations of the extreme view.
        same_clip_keys: what older keys of the query's own clip, still in the queue, count as: a
            `negative` (as published; rare in a set far larger than the queue), `left_out`, or a
            further `positive`.
        loss: with several positives: `mean_log` (published code) or `log_sum` (paper).
        reduction: `sum` of the branches' losses (published code) or their `mean` (paper).
        key_init: key encoders start as a `copy` of the query encoders, or `independent` as in
            the published code.
        shared_head: later branches' heads wrap the first branch's, as in the published code.
        stale_first_key: stage 2 no longer updates the first key encoder, as in the published code.
    """

    dim: int = 128
    queue: int = 32768
    momentum: float = 0.999
    temperature: float = 0.07
    mining_start: float | None = None
    mine: Literal["others", "own"] = "others"
    topk: int = 1
    context: bool = True
    extreme_weight: float = 0.0
    extreme: AugmentSettings = field(default_factory=lambda: EXTREME)
    same_clip_keys: Literal["negative", "left_out", "positive"] = "negative"
    loss: MultiPositive = "mean_log"
    reduction: Literal["sum", "mean"] = "sum"
    key_init: Literal["copy", "independent"] = "copy"
    shared_head: bool = False
    stale_first_key: bool = False


class Network(nn.Module):
    """An encoder and its head."""

    def __init__(self, encoder: Encoder, head: ProjectionHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor, body_mask: Tensor, edge_mask: Tensor | None) -> Tensor:
        """Clips (N, C, T, V, M) to embeddings (N, D) of unit length."""
        features = self.encoder(x, body_mask, edge_mask)
        with full_precision(features):
            return cast(Tensor, self.head(features))

    def with_drop(
        self, x: Tensor, body_mask: Tensor, edge_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, and once more without the features of most energy."""
        found = self.encoder.body_maps(x, body_mask, edge_mask)
        whole = self.encoder.pool(found)
        dropped = self.encoder.pool(found._replace(maps=drop_energetic(found.maps)))
        with full_precision(whole):
            return self.head(whole), self.head(dropped)


class MoCo(Objective):
    """Momentum contrast: each stream has a query and a key network, all share one queue.

    Source: the paper, section 2; MoCo v2 (Chen et al., 2020).
    """

    Settings = MoCoSettings
    key_views = ("key",)
    settings: MoCoSettings

    def __init__(self, streams: Sequence[StreamSpec], settings: MoCoSettings) -> None:
        super().__init__(streams, settings)
        _check(settings, len(streams))
        self.transforms = nn.ModuleList(stream.transform() for stream in streams)
        networks = [_network(stream, settings) for stream in streams]
        keys = [_network(stream, settings) for stream in streams]
        if settings.shared_head:
            for group in (networks, keys):
                for network in group[1:]:
                    network.head = ProjectionHead(
                        network.encoder.dim, settings.dim, inner=group[0].head
                    )
        self.query = nn.ModuleList(networks)
        self.key = nn.ModuleList(keys)
        if settings.key_init == "copy":
            self.key.load_state_dict(self.query.state_dict())
        self.key.requires_grad_(False)
        self.queue = KeyQueue(len(networks), settings.queue, settings.dim)

    @classmethod
    def views(cls, settings: MoCoSettings, augment: AugmentSettings) -> dict[str, AugmentSettings]:
        """Query and key, and an extreme view where it has a weight."""
        wanted = {"query": augment, "key": augment}
        return wanted | ({"extreme": settings.extreme} if settings.extreme_weight else {})

    def forward(self, batch: Batch) -> Output:
        """The loss of one batch; moves the key networks and the queue along.

        The keys are moved before they are computed, as in the published code, not after the step.
        """
        branches = range(len(self.query))
        start = self.settings.mining_start
        mining = start is not None and batch.epochs_done >= start
        queries = [self._query(b)(*self._seen(b, batch.views["query"])) for b in branches]
        extremes = [
            self._query(b).with_drop(*self._seen(b, view))
            for name, view in batch.views.items()
            if name == "extreme"
            for b in branches
        ]
        with torch.no_grad():
            self._move_keys(mining)
            view = batch.views["key"]
            keys = torch.stack([self.key[b](*self._seen(b, view)) for b in branches])
            all_keys = keys if batch.world is None else batch.world.gather(keys)
            own_keys = keys if batch.world is None else all_keys[:, batch.world.rows]
        with full_precision(keys):
            output = self._compare(queries, extremes, own_keys, batch.clips, mining)
        self.queue.push(all_keys, batch.clips if batch.world is None else batch.world.clips)
        return output

    def encoders(self) -> dict[str, Encoder]:
        """The query encoder of each stream."""
        return {stream.name: self._query(b).encoder for b, stream in enumerate(self.streams)}

    def _query(self, branch: int) -> Network:
        return cast(Network, self.query[branch])

    def _seen(self, branch: int, view: View) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a branch's networks take of a view."""
        edge_mask = view.edge_mask.get(self.streams[branch].stream.scale)
        return self.transforms[branch](view.coordinates), view.body_mask, edge_mask

    def _move_keys(self, mining: bool) -> None:
        stale = mining and self.settings.stale_first_key
        for branch in range(1 if stale else 0, len(self.query)):
            key, query = (
                [p.detach() for p in group[branch].parameters()] for group in (self.key, self.query)
            )
            torch._foreach_mul_(key, self.settings.momentum)
            torch._foreach_add_(key, query, alpha=1 - self.settings.momentum)

    def _compare(
        self,
        queries: list[Tensor],
        extremes: list[tuple[Tensor, Tensor]],
        keys: Tensor,
        clips: Tensor,
        mining: bool,
    ) -> Output:
        settings = self.settings
        past = self.queue.keys.clone()
        own = clips.unsqueeze(1) == self.queue.clips  # (N, K)

        def lines(vectors: Sequence[Tensor]) -> list[Tensor]:
            return [
                infonce_logits(v, keys[b], past[b], settings.temperature)
                for b, v in enumerate(vectors)
            ]

        logits = lines(queries)
        mined = self._mined(queries, extremes, past, own) if mining else []
        pairs = self._positives(logits, mined)
        if settings.same_clip_keys != "negative":
            pairs = [same_clip_logits(*pair, own, settings.same_clip_keys) for pair in pairs]
        losses = [multi_positive(line, mask, settings.loss) for line, mask in pairs]
        for views in zip(*extremes, strict=True):  # whole, then dropped
            for branch, line in enumerate(lines(views)):
                query = logits[branch]
                if settings.same_clip_keys == "left_out":
                    query, line = leave_out(query, own), leave_out(line, own)
                apart = divergence(query, line)
                losses[branch] = losses[branch] + settings.extreme_weight * apart / 2
        loss = torch.stack(losses).sum()
        if settings.reduction == "mean":
            loss = loss / len(losses)
        metrics = self._metrics(queries, logits, losses)
        if not mined:
            return Output(loss, metrics)
        return Output(
            loss, metrics, Mined(torch.stack(mined).amax(dim=0), self.queue.clips.clone())
        )

    @torch.no_grad()
    def _mined(
        self,
        queries: list[Tensor],
        extremes: list[tuple[Tensor, Tensor]],
        past: Tensor,
        own: Tensor,
    ) -> list[Tensor]:
        """Of each branch (N, K), the queue entries nearest to its query, or to any of its views."""
        barred = None if self.settings.same_clip_keys == "negative" else own
        mined = []
        for branch, query in enumerate(queries):
            views = [query]
            if self.settings.mine == "own" and extremes:
                views += extremes[branch]
            found = [nearest_in_queue(v, past[branch], self.settings.topk, barred) for v in views]
            mined.append(torch.stack(found).amax(dim=0))
        return mined

    def _positives(self, logits: list[Tensor], mined: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Each branch's logits and the mask of its positives."""
        settings = self.settings
        if mined and settings.mine == "others":
            return cross_logits(
                logits, mined, context=settings.context, temperature=settings.temperature
            )
        key = torch.ones_like(logits[0][:, :1])
        further = mined or [torch.zeros_like(line[:, 1:]) for line in logits]
        return [
            (line, torch.cat([key, more], dim=1))
            for line, more in zip(logits, further, strict=True)
        ]

    @torch.no_grad()
    def _metrics(
        self, queries: list[Tensor], logits: list[Tensor], losses: list[Tensor]
    ) -> dict[str, Tensor]:
        metrics: dict[str, Tensor] = {}
        for stream, query, line, loss in zip(self.streams, queries, logits, losses, strict=True):
            similarity = line * self.settings.temperature
            metrics[f"{stream.name}/loss"] = loss.detach()
            metrics[f"{stream.name}/pos_sim"] = similarity[:, 0].mean()
            metrics[f"{stream.name}/neg_sim"] = similarity[:, 1:].mean()
            # One over the root of the length for directions spread evenly, 0 if all are equal.
            metrics[f"{stream.name}/embedding_std"] = query.std(dim=0, correction=0).mean()
            metrics[f"{stream.name}/instance_acc"] = (line.argmax(dim=1) == 0).float().mean()
        metrics["chance_loss"] = losses[0].new_full((), math.log(1 + self.settings.queue))
        return metrics


def _network(stream: StreamSpec, settings: MoCoSettings) -> Network:
    encoder = stream.make_encoder()
    return Network(encoder, ProjectionHead(encoder.dim, settings.dim))


def _check(settings: MoCoSettings, streams: int) -> None:
    if settings.mining_start is not None and streams < 2 and settings.mine == "others":
        raise CrosscaleError(
            "mining_start needs two or more streams that find positives for others, or mine: own"
        )
    if settings.extreme_weight < 0:
        raise CrosscaleError(f"extreme_weight must not be negative: {settings.extreme_weight}")
    if settings.queue < 1 or settings.topk < 1 or settings.topk > settings.queue:
        raise CrosscaleError("queue and topk must be 1 or more, and topk no more than the queue")
    if not 0 <= settings.momentum <= 1 or settings.temperature <= 0:
        raise CrosscaleError("momentum must lie in 0 to 1 and temperature above 0")
