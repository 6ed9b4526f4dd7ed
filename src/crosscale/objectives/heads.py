"""The projection head: from features to the space in which views are compared."""

from torch import Tensor, nn
from torch.nn import functional


class ProjectionHead(nn.Module):
    """Two linear layers with a ReLU between them (MoCo v2), then unit length.

    Args:
        width: length of the features.
        outputs: length of the embedding.
        inner: takes the place of the second layer; the published code puts another stream's whole
            head there.
    """

    def __init__(self, width: int, outputs: int, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, outputs) if inner is None else inner

    def forward(self, features: Tensor) -> Tensor:
        """(N, width) to (N, outputs) of unit length."""
        return functional.normalize(self.out(functional.relu(self.hidden(features))), dim=1)
