"""The output layer: what is read of trained encoders, brought to a short vector by a linear map.

It is fitted without labels when training ends, on views of training clips, and travels in the
encoder's file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from crosscale.augment.compose import View
from crosscale.augment.spatial import Mirror
from crosscale.encoders.base import Encoder
from crosscale.encoders.readout import OutputLayer, Readout
from crosscale.errors import CrosscaleError
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
        sides: how much it counts, from 0 to 1, whether left or right does something. People do
            many things with either hand; below 1, clip and mirror image lie nearer each other.
    """

    dim: int = 0
    batches: int = 32
    sides: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 0 <= self.sides <= 1:
            raise CrosscaleError(f"output.sides must be from 0 to 1, not {self.sides}")


@torch.no_grad()
def fit_output(
    encoders: Mapping[str, Encoder],
    layout: Layout,
    pairs: Iterable[tuple[View, View]],
    settings: OutputSettings,
) -> Output:
    """Fit to each encoder the axes that tell clips apart best, and two views of a clip least.

    Args:
        encoders: by stream.
        layout: of the views.
        pairs: two views of training clips.
        settings: of the layer.
    """
    mirrored = Mirror(1.0, layout.other_side)
    streams = {}
    for name, encoder in encoders.items():
        readout = Readout(encoder, layers="all")
        transform = StreamTransform(Stream.parse(name), layout)
        streams[name] = StreamFeatures(transform, encoder, readout, readout.dim)
    read: dict[str, list[Tensor]] = {name: [] for name in encoders}
    for pair in pairs:
        for name, features in streams.items():
            seen = [(view.coordinates, view.body_mask) for view in pair]
            if settings.sides < 1:
                seen += [(mirrored(coordinates), mask) for coordinates, mask in seen]
            read[name].append(torch.stack([features(*view) for view in seen]).cpu())
    layers = {}
    for name, found in read.items():
        x = torch.cat(found, dim=1)
        images = x[2:] if len(x) > 2 else None
        layers[name] = discriminant(x[:2], settings.dim, images, settings.sides)
    pooling = next(iter(encoders.values())).pooling
    return Output(pooling, "all", layers)


def discriminant(
    views: Tensor, dim: int, images: Tensor | None = None, sides: float = 1.0
) -> OutputLayer:
    """Linear discriminant analysis in which each clip is a class, and its two views are all of it.

    Features are divided by their spread within clips, then turned to the K axes along which clips
    spread most. Source: Fisher, "The use of multiple measurements in taxonomic problems" (1936),
    with a ridge as there are few clips.

    At last the axes are mixed by a rotation, which changes no distance: every number then varies
    about as much as any other. Many classifiers bring each number to the same variance, and would
    make the noise of the last axes as loud as the first.

    Args:
        views: features (2, N, D) of two views of each clip.
        dim: K.
        images: of the same views with left and right exchanged; they count as clips of their own.
        sides: with these, how much it counts what tells a clip from its mirror image.
    """
    x = (views if images is None else torch.cat([views, images])).double()
    mean, deviation = x.mean(dim=(0, 1)), x.flatten(0, 1).std(dim=0)
    deviation = deviation.clamp(min=float(deviation.median()) / 100)  # of dead channels
    x = (x - mean) / deviation
    total, spread = _covariance(x), _covariance((x[::2] - x[1::2]) / 2**0.5)
    size, axes = torch.linalg.eigh((1 - RIDGE) * spread + _ridge(spread, RIDGE))
    turned = axes / size.sqrt()
    if images is not None:
        opposite = _covariance((x[:2] - x[2:]) / 2)
        seen, opposite = (turned.T @ each @ turned for each in (total, opposite))
        turned = turned @ _less_sided(seen, opposite, sides)
    _, axes = torch.linalg.eigh(turned.T @ total @ turned)
    axes = axes.flip(1)[:, :dim]
    return OutputLayer(mean, (turned @ axes @ rotation(axes.shape[1])) / deviation[:, None])


def _less_sided(total: Tensor, opposite: Tensor, sides: float) -> Tensor:
    """A map (D, D) that leaves a share of what is opposite in mirror images.

    Least squares tell from a clip's features which part of them that is.

    Args:
        total: covariance (D, D) of features of clips and of their images.
        opposite: covariance of half of what they differ by.
        sides: the share.
    """
    told = torch.linalg.solve(total + _ridge(total, 1e-6), opposite)
    return torch.eye(len(told), dtype=told.dtype) - (1 - sides) * told


def _covariance(x: Tensor) -> Tensor:
    """(D, D) of features (..., N, D) whose mean is zero."""
    rows = x.flatten(0, -2)
    return rows.T @ rows / len(rows)


def _ridge(matrix: Tensor, share: float) -> Tensor:
    """A share of the mean of a matrix's diagonal, to be added to it."""
    mean = matrix.diagonal().mean()
    return share * mean * torch.eye(len(matrix), dtype=matrix.dtype)


def rotation(dim: int) -> Tensor:
    """(K, K) float64, orthogonal, always the same."""
    drawn = torch.randn(dim, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q
