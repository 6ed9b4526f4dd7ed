"""All streams of a run as one network of plain tensor operations, which exporters can trace."""

import torch
from torch import Tensor, nn

from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.features import readout_of
from crosscale.transforms.modality import Stream, StreamTransform


class ClipNetwork(nn.Module):
    """Prepared clips to the features of every stream.

    Pooling, bones and motion are inside, normalisation is folded into the weights where the encoder
    knows how. Unlike a `FeatureExtractor` it computes absent bodies too, and leaves them out of the
    mean: a traced graph does the same for every clip.
    """

    def __init__(self, trained: TrainedEncoders) -> None:
        super().__init__()
        self.streams = tuple(trained.encoders)
        self.average_over_all = [e.bodies == "all" for e in trained.encoders.values()]
        self.transforms = nn.ModuleList(
            StreamTransform(Stream.parse(name), trained.layout) for name in self.streams
        )
        self.readouts = nn.ModuleList(readout_of(trained, name) for name in self.streams)
        self.eval()

    def forward(self, coordinates: Tensor, body_mask: Tensor) -> dict[str, Tensor]:
        """Features by stream.

        Args:
            coordinates: (N, 3, T, V, M) metres; those of an absent body count as zero.
            body_mask: (N, M) bool, whether a body is there.

        Returns:
            stream name to (N, D); zero for a clip without anybody, unless empty bodies count.
        """
        there = body_mask[:, None, None, None, :]
        coordinates = torch.where(there, coordinates, 0.0)
        features = {}
        for i, name in enumerate(self.streams):
            clips = self.transforms[i](coordinates).permute(0, 4, 1, 2, 3)
            vectors = self.readouts[i](clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
            counted = torch.ones_like(body_mask) if self.average_over_all[i] else body_mask
            weights = counted.to(vectors.dtype).unsqueeze(2)
            features[name] = (vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return features
