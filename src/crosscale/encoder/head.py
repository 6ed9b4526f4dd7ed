"""The projection head: from features to the space in which views are compared."""

from torch import Tensor, nn
from torch.nn import functional


class ProjectionHead(nn.Module):
    """Two linear layers with a ReLU between them (MoCo v2), then unit length."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width) to (N, outputs) of unit length."""
        return functional.normalize(self.out(functional.relu(self.hidden(features))), dim=1)
