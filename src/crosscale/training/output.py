"""The output layer: what is read of trained encoders, brought to a short vector by a linear map.

It is fitted without labels when training ends, on views of training clips, and travels in the
encoder's file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from crosscale.augment.compose import View
from crosscale.encoders.base import Encoder, mean_over_bodies
from crosscale.encoders.readout import OutputLayer, Readout
from crosscale.models.checkpoint import Output
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream, StreamTransform

LEAST_SPREAD = 1e-3  # of the largest; what varies less is not blown up further


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
    views: Iterable[View],
    dim: int,
) -> Output:
    """Half-whitened principal axes of all layers: each divided by the root of its spread.

    Args:
        encoders: by stream.
        layout: of the views.
        views: of training clips.
        dim: K, of each stream.
    """
    readouts = {name: Readout(encoder.eval(), layers="all") for name, encoder in encoders.items()}
    transforms = {name: StreamTransform(Stream.parse(name), layout) for name in encoders}
    read: dict[str, list[Tensor]] = {name: [] for name in encoders}
    for view in views:
        for name, encoder in encoders.items():
            x = transforms[name](view.coordinates)
            bodies, clip = encoder.present_bodies(x, view.body_mask)
            read[name].append(mean_over_bodies(readouts[name](bodies), clip, len(x)).cpu())
    layers = {name: half_whitened(torch.cat(features), dim) for name, features in read.items()}
    pooling = next(iter(encoders.values())).pooling
    return Output(pooling, "all", layers)


def half_whitened(features: Tensor, dim: int) -> OutputLayer:
    """Features (N, D) to their K axes of largest spread, each divided by the root of its spread.

    Between principal axes, which keep what varies most, and whitening, which makes noise as large
    as everything else.
    """
    x = features.double()
    mean, deviation = x.mean(dim=0), x.std(dim=0) + 1e-6
    x = (x - mean) / deviation
    spread, axes = torch.linalg.eigh(x.T @ x / len(x))
    spread = spread.flip(0)[:dim].clamp(min=0).sqrt()
    scale = (spread + LEAST_SPREAD * spread[0]).sqrt()
    return OutputLayer(mean, axes.flip(1)[:, :dim] / scale / deviation[:, None])
