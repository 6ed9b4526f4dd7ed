"""All streams of a run as one network of plain tensor operations, which exporters can trace."""

import torch
from torch import Tensor, nn

from crosscale.encoders.readout import Readout
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.export.preparation import Preparation
from crosscale.transforms.modality import Stream, StreamTransform


class ClipNetwork(nn.Module):
    """Prepared clips to the features of every stream.

    Pooling, bones and motion are inside, normalisation is folded into the weights.
    """

    def __init__(self, trained: TrainedEncoders) -> None:
        super().__init__()
        self.streams = tuple(trained.encoders)
        self.average_over_all = [e.bodies == "all" for e in trained.encoders.values()]
        self.transforms = nn.ModuleList(
            StreamTransform(Stream.parse(name), trained.layout) for name in self.streams
        )
        self.encoders = nn.ModuleList(Readout(e) for e in trained.encoders.values())

    def forward(self, coordinates: Tensor, body_mask: Tensor) -> dict[str, Tensor]:
        """Features by stream.

        Args:
            coordinates: (N, 3, T, V, M) metres; those of an absent body count as zero.
            body_mask: (N, M) bool, whether a body is there.

        Returns:
            stream name to (N, width); zero for a clip without anybody, unless empty bodies count.
        """
        there = body_mask[:, None, None, None, :]
        coordinates = torch.where(there, coordinates, 0.0)
        features = {}
        for i, name in enumerate(self.streams):
            clips = self.transforms[i](coordinates).permute(0, 4, 1, 2, 3)
            vectors = self.encoders[i](clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
            counted = torch.ones_like(body_mask) if self.average_over_all[i] else body_mask
            weights = counted.to(vectors.dtype).unsqueeze(2)
            features[name] = (vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return features


class RecordingNetwork(nn.Module):
    """Recordings as they come from a sensor to the features of every stream."""

    def __init__(self, trained: TrainedEncoders) -> None:
        super().__init__()
        self.prepare = Preparation(trained.layout, trained.preprocess)
        self.clips = ClipNetwork(trained)

    def forward(self, recordings: Tensor) -> dict[str, Tensor]:
        """Recordings (N, L, M, V, 3), see `Preparation`, to features, see `ClipNetwork`."""
        features: dict[str, Tensor] = self.clips(*self.prepare(recordings))
        return features
