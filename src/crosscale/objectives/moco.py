"""A method is a composition: streams × views × contrast.

SkeletonCLR, SGCLR, CrosSCLR, CrosView and CrosScale are settings of the one class below; the
recipes in `recipes/method` show how few lines they differ by.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from crosscale.augment.compose import View
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.objectives.attention_drop import drop_energetic
from crosscale.objectives.heads import ProjectionHead
from crosscale.objectives.losses import (
    Form,
    cross_logits,
    divergence,
    infonce_logits,
    leave_out,
    multi_positive,
    nearest_in_queue,
    own_past_logits,
)
from crosscale.objectives.queue import KeyQueue
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform


@dataclass(frozen=True)
class ContrastSettings:
    """What is contrasted with what.

    Attributes:
        streams: what each branch sees: joint, bone, motion or bone_motion, at a scale
            (`joint@part10`).
        features: length of the embedding.
        queue: how many past keys serve as negatives.
        momentum: of the key encoder's moving average.
        temperature: divides similarities.
        cross_from: share of the epochs after which each branch finds positives for the others
            (stage 2); null for never.
        mine: whose similarities find a branch's further positives: those of the `others`
            (CrosSCLR, CrosScale), or its `own`, also of its extreme views (AimCLR).
        top: positives mined by each view that mines.
        context: append the products of two branches' similarities as further logits.
        extreme: weight of the loss that makes extreme views follow the query's similarities
            (AimCLR); 0 for no such views.
        own_past: what older keys of the query's own clip, still in the queue, count as: a
            `negative` (as published; rare in a set far larger than the queue), `left_out`, or a
            further `positive`.
        form: loss with several positives: `mean_log` (published code) or `log_sum` (paper).
        total: `sum` of the branches' losses (published code) or their `mean` (paper).
        key_start: key encoders start as a `copy` of the query encoders, or `independent` as in
            the published code.
        shared_head: later branches' heads wrap the first branch's, as in the published code.
        stale_first_key: stage 2 no longer updates the first key encoder, as in the published code.
    """

    streams: list[str] = field(default_factory=lambda: ["joint"])
    features: int = 128
    queue: int = 32768
    momentum: float = 0.999
    temperature: float = 0.07
    cross_from: float | None = None
    mine: Literal["others", "own"] = "others"
    top: int = 1
    context: bool = True
    extreme: float = 0.0
    own_past: Literal["negative", "left_out", "positive"] = "negative"
    form: Form = "mean_log"
    total: Literal["sum", "mean"] = "sum"
    key_start: Literal["copy", "independent"] = "copy"
    shared_head: bool = False
    stale_first_key: bool = False


class Network(nn.Module):
    """An encoder and its head."""

    def __init__(self, encoder: STGCN, head: ProjectionHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor, body_mask: Tensor, edge_mask: Tensor | None) -> Tensor:
        """Clips (N, C, T, V, M) to embeddings (N, D) of unit length."""
        features = self.encoder(x, body_mask, edge_mask)
        with _full_precision(features):
            return cast(Tensor, self.head(features))

    def with_drop(
        self, x: Tensor, body_mask: Tensor, edge_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, and once more without the features of most energy."""
        found = self.encoder.body_maps(x, body_mask, edge_mask)
        whole = self.encoder.pool(found)
        dropped = self.encoder.pool(found._replace(maps=drop_energetic(found.maps)))
        with _full_precision(whole):
            return self.head(whole), self.head(dropped)


class Shared(NamedTuple):
    """What a process that sees a part of a batch needs of the others.

    Attributes:
        clips: numbers of the whole batch's clips, (N,).
        rows: places in the batch of this process's clips, (n,).
        body_mask: which bodies are there in its key view, (n, M), where that may show other clips.
        gather: keys (B, n, D) of the processes' key views to those of the batch, (B, N, D).
    """

    clips: Tensor
    rows: Tensor
    body_mask: Tensor
    gather: Callable[[Tensor], Tensor]


class Outcome(NamedTuple):
    """The loss of a batch, and what tells a healthy run from a collapsed one.

    Attributes:
        loss: a scalar to be minimised.
        watch: named scalars, detached.
        mined: of each branch (N, K) which queue entries it offers the others as positives; empty
            in stage 1.
        negatives: (K,) which clips the queue held.
    """

    loss: Tensor
    watch: dict[str, Tensor]
    mined: list[Tensor]
    negatives: Tensor


class MomentumContrast(nn.Module):
    """One or more streams, each with a query and a key network, and one queue for all.

    Source: the paper, section 2; MoCo v2 (Chen et al., 2020).
    """

    def __init__(
        self, layout: Layout, settings: ContrastSettings, encoder: EncoderSettings
    ) -> None:
        super().__init__()
        _check(settings)
        self.settings = settings
        self.streams = [Stream.parse(name) for name in settings.streams]
        self.transforms = nn.ModuleList(StreamTransform(stream, layout) for stream in self.streams)
        graphs = [stream.graph(layout) for stream in self.streams]
        networks = [
            Network(STGCN(graph, encoder), ProjectionHead(encoder.width, settings.features))
            for graph in graphs
        ]
        keys = [
            Network(STGCN(graph, encoder), ProjectionHead(encoder.width, settings.features))
            for graph in graphs
        ]
        if settings.shared_head:
            for group in (networks, keys):
                for network in group[1:]:
                    network.head = ProjectionHead(
                        encoder.width, settings.features, inner=group[0].head
                    )
        self.query = nn.ModuleList(networks)
        self.key = nn.ModuleList(keys)
        if settings.key_start == "copy":
            self.key.load_state_dict(self.query.state_dict())
        self.key.requires_grad_(False)
        self.queue = KeyQueue(len(networks), settings.queue, settings.features)

    def forward(
        self,
        views: Sequence[View],
        body_mask: Tensor,
        clips: Tensor,
        cross: bool,
        shared: Shared | None = None,
    ) -> Outcome:
        """The loss of one batch; moves the key networks and the queue along.

        Args:
            views: query and key view of the clips, and an extreme one where `extreme` is set.
            body_mask: which bodies are there, (N, M).
            clips: numbers of the clips, (N,), remembered in the queue.
            cross: stage 2: branches find positives for each other.
            shared: the whole batch, where these clips are a part of it.
        """
        branches = range(len(self.query))
        queries = [self.query[b](*self._seen(b, views[0], body_mask)) for b in branches]
        extremes = [
            self._network(b).with_drop(*self._seen(b, view, body_mask))
            for view in views[2:]
            for b in branches
        ]
        with torch.no_grad():
            self._move_keys(cross)
            there = body_mask if shared is None else shared.body_mask
            keys = torch.stack([self.key[b](*self._seen(b, views[1], there)) for b in branches])
            all_keys = keys if shared is None else shared.gather(keys)
            own_keys = keys if shared is None else all_keys[:, shared.rows]
        with _full_precision(keys):
            outcome = self._compare(queries, extremes, own_keys, clips, cross)
        self.queue.push(all_keys, clips if shared is None else shared.clips)
        return outcome

    def encoders(self) -> dict[str, STGCN]:
        """The query encoder of each stream."""
        return {str(s): self._network(b).encoder for b, s in enumerate(self.streams)}

    def _network(self, branch: int) -> Network:
        return cast(Network, self.query[branch])

    def _seen(
        self, branch: int, view: View, body_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a branch's networks take of a view."""
        edge_mask = view.edge_mask.get(self.streams[branch].scale)
        return self.transforms[branch](view.coordinates), body_mask, edge_mask

    def _move_keys(self, cross: bool) -> None:
        stale = cross and self.settings.stale_first_key
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
        cross: bool,
    ) -> Outcome:
        settings = self.settings
        past = self.queue.keys.clone()
        own = clips.unsqueeze(1) == self.queue.clips  # (N, K)

        def lines(vectors: Sequence[Tensor]) -> list[Tensor]:
            return [
                infonce_logits(v, keys[b], past[b], settings.temperature)
                for b, v in enumerate(vectors)
            ]

        logits = lines(queries)
        mined = self._mined(queries, extremes, past, own) if cross else []
        pairs = self._positives(logits, mined)
        if settings.own_past != "negative":
            pairs = [own_past_logits(*pair, own, settings.own_past) for pair in pairs]
        losses = [multi_positive(line, mask, settings.form) for line, mask in pairs]
        for views in zip(*extremes, strict=True):  # whole, then dropped
            for branch, line in enumerate(lines(views)):
                query = logits[branch]
                if settings.own_past == "left_out":
                    query, line = leave_out(query, own), leave_out(line, own)
                apart = divergence(query, line)
                losses[branch] = losses[branch] + settings.extreme * apart / 2
        loss = torch.stack(losses).sum()
        if settings.total == "mean":
            loss = loss / len(losses)
        watch = self._watch(queries, logits, losses)
        return Outcome(loss, watch, mined, self.queue.clips.clone())

    @torch.no_grad()
    def _mined(
        self,
        queries: list[Tensor],
        extremes: list[tuple[Tensor, Tensor]],
        past: Tensor,
        own: Tensor,
    ) -> list[Tensor]:
        """Of each branch (N, K), the queue entries nearest to its query, or to any of its views."""
        barred = None if self.settings.own_past == "negative" else own
        mined = []
        for branch, query in enumerate(queries):
            views = [query]
            if self.settings.mine == "own" and extremes:
                views += extremes[branch]
            found = [nearest_in_queue(v, past[branch], self.settings.top, barred) for v in views]
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
    def _watch(
        self, queries: list[Tensor], logits: list[Tensor], losses: list[Tensor]
    ) -> dict[str, Tensor]:
        watch: dict[str, Tensor] = {}
        for name, query, line, loss in zip(
            self.settings.streams, queries, logits, losses, strict=True
        ):
            similarity = line * self.settings.temperature
            watch[f"{name}/loss"] = loss.detach()
            watch[f"{name}/positive"] = similarity[:, 0].mean()
            watch[f"{name}/negative"] = similarity[:, 1:].mean()
            # One over the square root of the length for directions spread evenly, 0 if all equal.
            watch[f"{name}/spread"] = query.std(dim=0, correction=0).mean()
            watch[f"{name}/found"] = (line.argmax(dim=1) == 0).float().mean()
        return watch


def _full_precision(beside: Tensor) -> torch.autocast:
    """Similarities over a temperature lose what tells two clips apart when 8 bits hold them."""
    return torch.autocast(beside.device.type, enabled=False)


def _check(settings: ContrastSettings) -> None:
    if len(set(settings.streams)) != len(settings.streams) or not settings.streams:
        raise CrosscaleError(f"streams must differ and be one or more, not {settings.streams}")
    alone = len(settings.streams) < 2 and settings.mine == "others"
    if settings.cross_from is not None and alone:
        raise CrosscaleError(
            "cross_from needs two or more streams that find positives for others, or mine: own"
        )
    if settings.extreme < 0:
        raise CrosscaleError(f"extreme is a weight and must not be negative: {settings.extreme}")
    if settings.queue < 1 or settings.top < 1 or settings.top > settings.queue:
        raise CrosscaleError("queue and top must be 1 or more, and top no more than the queue")
    if not 0 <= settings.momentum <= 1 or settings.temperature <= 0:
        raise CrosscaleError("momentum must lie in 0 to 1 and temperature above 0")
