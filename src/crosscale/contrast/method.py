"""A method is a composition: streams × views × contrast.

SkeletonCLR, SGCLR, CrosSCLR, CrosView and CrosScale are settings of the one class below; the
recipes in `recipes/method` show how few lines they differ by.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from crosscale.contrast.objective import (
    Form,
    cross_logits,
    infonce_logits,
    multi_positive,
    nearest_in_queue,
    own_past_logits,
)
from crosscale.contrast.queue import KeyQueue
from crosscale.encoder.head import ProjectionHead
from crosscale.encoder.stgcn import STGCN, EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.streams.stream import Stream, StreamTransform
from crosscale.views.compose import View


@dataclass(frozen=True)
class ContrastSettings:
    """What is contrasted with what.

    Attributes:
        streams: what each branch sees: joint, bone or motion, at a scale (`joint@part10`).
        features: length of the embedding.
        queue: how many past keys serve as negatives.
        momentum: of the key encoder's moving average.
        temperature: divides similarities.
        cross_from: share of the epochs after which each branch finds positives for the others
            (stage 2); null for never.
        top: positives mined in each other branch's queue.
        context: append the products of two branches' similarities as further logits.
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
    top: int = 1
    context: bool = True
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

    def forward(self, x: Tensor, present: Tensor, keep: Tensor | None) -> Tensor:
        """Clips (N, C, T, V, M) to embeddings (N, D) of unit length."""
        return self.head(self.encoder(x, present, keep))


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
        self.transforms = [StreamTransform(stream, layout) for stream in self.streams]
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
        views: tuple[View, View],
        present: Tensor,
        clips: Tensor,
        cross: bool,
    ) -> Outcome:
        """The loss of one batch; moves the key networks and the queue along.

        Args:
            views: query and key view of the clips.
            present: which bodies are there, (N, M).
            clips: numbers of the clips, (N,), remembered in the queue.
            cross: stage 2: branches find positives for each other.
        """
        queries = [self._embed(self.query[b], b, views[0], present) for b in range(len(self.query))]
        with torch.no_grad():
            self._move_keys(cross)
            keys = [self._embed(self.key[b], b, views[1], present) for b in range(len(self.key))]
        outcome = self._compare(queries, keys, clips, cross)
        self.queue.push(torch.stack(keys), clips)
        return outcome

    def encoders(self) -> dict[str, STGCN]:
        """The query encoder of each stream."""
        networks = cast("list[Network]", list(self.query))
        return {str(s): n.encoder for s, n in zip(self.streams, networks, strict=True)}

    def _embed(self, network: nn.Module, branch: int, view: View, present: Tensor) -> Tensor:
        keep = view.keep.get(self.streams[branch].scale)
        return network(self.transforms[branch](view.coordinates), present, keep)

    def _move_keys(self, cross: bool) -> None:
        stale = cross and self.settings.stale_first_key
        for branch in range(1 if stale else 0, len(self.query)):
            key, query = (
                [p.detach() for p in group[branch].parameters()] for group in (self.key, self.query)
            )
            torch._foreach_mul_(key, self.settings.momentum)
            torch._foreach_add_(key, query, alpha=1 - self.settings.momentum)

    def _compare(
        self, queries: list[Tensor], keys: list[Tensor], clips: Tensor, cross: bool
    ) -> Outcome:
        settings = self.settings
        past = self.queue.keys.clone()
        own = clips.unsqueeze(1) == self.queue.clips  # (N, K)
        logits = [
            infonce_logits(q, k, past[b], settings.temperature)
            for b, (q, k) in enumerate(zip(queries, keys, strict=True))
        ]
        mined: list[Tensor] = []
        if cross:
            barred = None if settings.own_past == "negative" else own
            with torch.no_grad():
                mined = [
                    nearest_in_queue(q, past[b], settings.top, barred)
                    for b, q in enumerate(queries)
                ]
            pairs = cross_logits(
                logits, mined, context=settings.context, temperature=settings.temperature
            )
        else:
            first = torch.zeros_like(logits[0])
            first[:, 0] = 1
            pairs = [(line, first) for line in logits]
        if settings.own_past != "negative":
            pairs = [own_past_logits(*pair, own, settings.own_past) for pair in pairs]
        losses = [multi_positive(line, mask, settings.form) for line, mask in pairs]
        loss = torch.stack(losses).sum()
        if settings.total == "mean":
            loss = loss / len(losses)
        watch = self._watch(queries, logits, losses)
        return Outcome(loss, watch, mined, self.queue.clips.clone())

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


def _check(settings: ContrastSettings) -> None:
    if len(set(settings.streams)) != len(settings.streams) or not settings.streams:
        raise CrosscaleError(f"streams must differ and be one or more, not {settings.streams}")
    if settings.cross_from is not None and len(settings.streams) < 2:
        raise CrosscaleError("cross_from needs two or more streams that find positives for others")
    if settings.queue < 1 or settings.top < 1 or settings.top > settings.queue:
        raise CrosscaleError("queue and top must be 1 or more, and top no more than the queue")
    if not 0 <= settings.momentum <= 1 or settings.temperature <= 0:
        raise CrosscaleError("momentum must lie in 0 to 1 and temperature above 0")
