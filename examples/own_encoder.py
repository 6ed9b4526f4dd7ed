"""An encoder of one's own: convolutions over time, which see all joints of a frame at once.

    crosscale pretrain own/skeletonclr --encoder examples/own_encoder.py:TimeNet \
        --encoder.width 128 --data STORE --out RUN
    PYTHONPATH=examples crosscale evaluate knn RUN

A run keeps the encoder's name, its settings and its weights, and not its code: whoever reads the
run must have `own_encoder.py` in the current folder or on Python's path.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from crosscale.encoders.base import Encoder, Layer
from crosscale.skeleton.layout import Graph


@dataclass(frozen=True)
class TimeNetSettings:
    """Its fields are options of the command line, and checked.

    Attributes:
        width: features of a frame.
        depth: convolutions one after the other; each halves the frames.
        kernel: frames that each of them sees, an odd number.
    """

    width: int = 64
    depth: int = 3
    kernel: int = 9


class TimeNet(Encoder):
    """The joints of a frame side by side as channels; blocks over time follow."""

    Settings = TimeNetSettings

    def __init__(self, graph: Graph, settings: TimeNetSettings, channels: int = 3) -> None:
        super().__init__(graph, settings, dim=settings.width)
        width, kernel = settings.width, settings.kernel
        blocks = [nn.Sequential(nn.Conv1d(channels * len(graph.names), width, 1), nn.ReLU())]
        for _ in range(settings.depth):
            over_time = nn.Conv1d(width, width, kernel, stride=2, padding=kernel // 2)
            blocks.append(nn.Sequential(over_time, nn.BatchNorm1d(width), nn.ReLU()))
        self.blocks = nn.Sequential(*blocks)

    def forward_features(
        self, x: Tensor, edge_mask: Tensor | None = None, token_mask: Tensor | None = None
    ) -> Tensor:
        """Bodies (B, C, T, V) to (B, dim, 1, T'): what remains is one node. It knows no edges."""
        if token_mask is not None:
            x = x * token_mask[:, None]
        frames = x.transpose(2, 3).flatten(1, 2)  # (B, C * V, T)
        return self.blocks(frames).unsqueeze(2)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What probes may read: the last layer, of one node."""
        return (Layer("last", self.dim, 1),)
