"""The contract of an objective: views of a batch in, a loss and numbers to watch out.

An objective of one's own is one class in one file:

    @dataclass(frozen=True)
    class Settings:
        temperature: float = 0.1

    class MyObjective(Objective):
        Settings = Settings

        def __init__(self, streams, settings):
            super().__init__(streams, settings)
            self.branches = nn.ModuleDict({s.name: s.branch() for s in streams})
            ...

        def forward(self, batch):
            first, second = (batch.views[name] for name in ("first", "second"))
            ...  # self.branches["joint"](first) is (N, dim)
            return Output(loss, {"joint/loss": loss.detach()})

        def encoders(self):
            return {name: branch.encoder for name, branch in self.branches.items()}

It is trained by `--objective my_file:MyObjective`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

from crosscale.augment.compose import AugmentSettings, View
from crosscale.encoders.base import BodyMaps, Encoder
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform


class Branch(nn.Module):
    """A stream's way from joints to features: pooling, bones and motion, then its encoder."""

    def __init__(self, stream: Stream, layout: Layout, encoder: Encoder) -> None:
        super().__init__()
        self.stream = stream
        self.transform = StreamTransform(stream, layout)
        self.encoder = encoder

    def forward(self, view: View) -> Tensor:
        """Features (N, dim) of a view."""
        return self.encoder.pool(self.body_maps(view))

    def body_maps(self, view: View, token_mask: Tensor | None = None) -> BodyMaps:
        """Maps of the bodies of a view, before anything is pooled.

        Args:
            view: of a batch.
            token_mask: what is hidden, see `Encoder.body_maps`.
        """
        x, edge_mask = self.transform(view.coordinates), view.edge_mask.get(self.stream.scale)
        return self.encoder.body_maps(x, view.body_mask, edge_mask, token_mask)


@dataclass(frozen=True)
class StreamSpec:
    """A stream to be learned, and how its encoder is made.

    Attributes:
        stream: modality at a scale.
        layout: of the clips.
        make_encoder: an encoder with fresh weights.
    """

    stream: Stream
    layout: Layout
    make_encoder: Callable[[], Encoder]

    @property
    def name(self) -> str:
        """As recipes write it: `joint`, `motion@part10`."""
        return str(self.stream)

    def transform(self) -> StreamTransform:
        """From joints (N, C, T, J, M) to what the encoder sees (N, C, T, V, M)."""
        return StreamTransform(self.stream, self.layout)

    def branch(self) -> Branch:
        """A new encoder behind its transform."""
        return Branch(self.stream, self.layout, self.make_encoder())


class GlobalBatch(NamedTuple):
    """What a process that sees a part of a batch needs of the others.

    Attributes:
        clips: numbers of the whole batch's clips, (N,).
        rows: places in the batch of this process's clips, (n,).
        gather: what the processes computed of their key views, (B, n, D), in the order of the
            batch, (B, N, D); no gradients pass.
    """

    clips: Tensor
    rows: Tensor
    gather: Callable[[Tensor], Tensor]


class Batch(NamedTuple):
    """What an objective is given at a step.

    Attributes:
        views: by name, those that `Objective.views` wants.
        clips: numbers of the clips, (N,).
        progress: share of the run's steps that are done, 0 to 1.
        epochs_done: share of its epochs that are done; the same throughout an epoch.
        world: the whole batch, where these clips are a part of it.
    """

    views: Mapping[str, View]
    clips: Tensor
    progress: float = 0.0
    epochs_done: float = 0.0
    world: GlobalBatch | None = None


class Mined(NamedTuple):
    """Which remembered clips were taken for positives, for a diagnosis with labels.

    Attributes:
        positives: (N, K), 1 where one of K remembered clips was taken.
        clips: (K,) their numbers, -1 for none.
    """

    positives: Tensor
    clips: Tensor


class Output(NamedTuple):
    """The loss of a batch.

    Attributes:
        loss: a scalar to be minimised.
        metrics: scalars to be watched, detached, always of the same names; `STREAM/...` tells of
            one stream, and some are known to callbacks: `pos_sim`, `neg_sim`, `embedding_std`.
        mined: where positives were mined.
    """

    loss: Tensor
    metrics: dict[str, Tensor]
    mined: Mined | None = None


class Objective(nn.Module):
    """What is learned without labels.

    Every trainable parameter is optimised, and the whole state is saved and resumed.

    Attributes:
        Settings: the frozen dataclass of the objective's own settings.
        key_views: views that are seen without gradients only; over several processes, they may
            show a process other clips than the rest, in the order that `GlobalBatch.gather` mends.
        streams: what is learned.
        settings: with which it was made.
    """

    Settings: ClassVar[type[Any]]
    key_views: tuple[str, ...] = ()

    def __init__(self, streams: Sequence[StreamSpec], settings: Any) -> None:
        super().__init__()
        self.streams = tuple(streams)
        self.settings = settings

    @classmethod
    def views(cls, settings: Any, augment: AugmentSettings) -> dict[str, AugmentSettings]:
        """The views that it wants of each clip, by name; by default two, drawn alike.

        Args:
            settings: its own.
            augment: the recipe's augmentations.
        """
        return {"first": augment, "second": augment}

    def forward(self, batch: Batch) -> Output:
        """The loss of one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def after_step(self, progress: float) -> None:
        """After each step of the optimiser: moving averages, queues.

        Args:
            progress: share of the run's steps that are done, 0 to 1.
        """

    def encoders(self) -> dict[str, Encoder]:
        """By stream, what is kept when training ends."""
        raise NotImplementedError(f"{type(self).__name__} has no encoders")

    def encoders_of(self, branches: Iterable[nn.Module]) -> dict[str, Encoder]:
        """By stream, the encoders of branches, of which there is one a stream."""
        of = zip(self.streams, branches, strict=True)
        return {spec.name: cast(Branch, branch).encoder for spec, branch in of}


def deviation(vectors: Tensor) -> Tensor:
    """`embedding_std`: the deviation of the directions of vectors (N, D), a mean over numbers."""
    unit = functional.normalize(vectors.detach().float(), dim=1)
    return unit.std(dim=0, correction=0).mean()
