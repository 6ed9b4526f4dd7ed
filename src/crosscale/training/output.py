"""The output layer: what is read of trained encoders, brought to a short vector by a linear map.

It is fitted without labels when training ends, on views of training clips, and travels in the
encoder's file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from crosscale.augment.compose import View
from crosscale.encoders.base import Encoder
from crosscale.encoders.readout import OutputLayer, Readout
from crosscale.models.checkpoint import Output
from crosscale.models.features import StreamFeatures
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform

RIDGE = 0.1  # share of the mean spread that is added to the spread within clips


@dataclass(frozen=True)
class OutputSettings:
    """The output layer that is fitted to all layers of the encoders.

    Attributes:
        dim: length of each stream's vector; 0 for none, which leaves the features as trained.
        batches: of the training source, on which it is fitted.
    """

    dim: int = 0
    batches: int = 32


@torch.no_grad()
def fit_output(
    encoders: Mapping[str, Encoder],
    layout: Layout,
    pairs: Iterable[tuple[View, View]],
    dim: int,
) -> Output:
    """Fit to each encoder the axes that tell clips apart best, and two views of a clip least.

    Args:
        encoders: by stream.
        layout: of the views.
        pairs: two views of training clips.
        dim: K, of each stream.
    """
    streams = {}
    for name, encoder in encoders.items():
        readout = Readout(encoder, layers="all")
        transform = StreamTransform(Stream.parse(name), layout)
        streams[name] = StreamFeatures(transform, encoder, readout, readout.dim)
    read: dict[str, list[Tensor]] = {name: [] for name in encoders}
    for pair in pairs:
        for name, features in streams.items():
            both = [features(view.coordinates, view.body_mask) for view in pair]
            read[name].append(torch.stack(both).cpu())
    layers = {}
    for name, found in read.items():
        one, other = torch.cat(found, dim=1)
        layers[name] = discriminant(one, other, dim)
    pooling = next(iter(encoders.values())).pooling
    return Output(pooling, "all", layers)


def discriminant(one: Tensor, other: Tensor, dim: int) -> OutputLayer:
    """Linear discriminant analysis in which each clip is a class, and its two views are all of it.

    Features are divided by their spread within clips, then turned to the K axes along which clips
    spread most. Source: Fisher, "The use of multiple measurements in taxonomic problems" (1936),
    with a ridge as there are few clips.

    At last the axes are mixed by a rotation, which changes no distance: every number then varies
    about as much as any other. Many classifiers bring each number to the same variance, and would
    make the noise of the last axes as loud as the first.

    Args:
        one: features (N, D) of a view of each clip.
        other: of another view.
        dim: K.
    """
    x = torch.cat([one, other]).double()
    mean, deviation = x.mean(dim=0), x.std(dim=0)
    deviation = deviation.clamp(min=float(deviation.median()) / 100)  # of dead channels
    x = (x - mean) / deviation
    within = (x[: len(one)] - x[len(one) :]) / 2**0.5
    spread = within.T @ within / len(within)
    ridge = RIDGE * spread.diagonal().mean() * torch.eye(len(spread), dtype=spread.dtype)
    size, axes = torch.linalg.eigh((1 - RIDGE) * spread + ridge)
    whitened = axes / size.sqrt()
    x = x @ whitened
    _, axes = torch.linalg.eigh(x.T @ x / len(x))
    axes = axes.flip(1)[:, :dim]
    return OutputLayer(mean, (whitened @ axes @ rotation(axes.shape[1])) / deviation[:, None])


def rotation(dim: int) -> Tensor:
    """(K, K) float64, orthogonal, always the same."""
    drawn = torch.randn(dim, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q
