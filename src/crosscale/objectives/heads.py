"""The projection head: from features to the space in which views are compared."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


def perceptron(*sizes: int) -> nn.Sequential:
    """Linear layers between vectors (N, D) of these sizes, each but the last normalised, ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


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
