"""A store as PyTorch's loaders take it, for training loops of one's own."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, nearest
from crosscale.transforms.preprocess import Preprocess, load


class ClipDataset(Dataset[tuple[Tensor, Tensor, int]]):
    """Prepared clips of a store, one by one.

        loader = DataLoader(ClipDataset("stores/mine"), batch_size=64, shuffle=True)
        for coordinates, body_mask, labels in loader:  # (N, 3, T, V, M), (N, M), (N,)
            features = model.forward_features(coordinates, body_mask)

    Attributes:
        store: of the clips.
        rows: which of them.
        preprocess: how clips become tensors; a model's own is `model.trained.preprocess`.
    """

    def __init__(
        self,
        store: ClipStore | str,
        preprocess: Preprocess | None = None,
        *,
        protocol: str | None = None,
        part: str = "train",
        rows: Sequence[int] | None = None,
    ) -> None:
        """Choose clips.

        Args:
            store: opened, or its path.
            preprocess: how clips become tensors; the default of `Preprocess` otherwise.
            protocol: whose `part` is taken: `train`, or the name of one of its test sets.
            part: see `protocol`; without one, all clips are taken.
            rows: the clips themselves, in place of a protocol's.

        Raises:
            CrosscaleError: when the store has no such protocol or part.
        """
        self.store = store if isinstance(store, ClipStore) else ClipStore.open(store)
        self.preprocess = preprocess or Preprocess()
        chosen = range(len(self.store)) if rows is None else rows
        if protocol is not None:
            parts = split(self.store, protocol)
            named = {"train": parts.train, **parts.tests}
            if part not in named:
                raise CrosscaleError(
                    f"protocol {protocol} has no part '{part}': {nearest(part, named)}"
                )
            chosen = named[part].tolist()
        self.rows = [int(row) for row in chosen]

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, int]:
        """Coordinates (3, T, V, M), which bodies are there (M,), and the label, -1 for none."""
        clips = load(self.store, [self.rows[i]], self.preprocess)
        return clips.coordinates[0], clips.body_mask[0], int(self.store.labels[self.rows[i]])

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, Tensor, int]]:
        """Several at once, as loaders ask for a batch: faster than one by one."""
        rows = [self.rows[i] for i in indices]
        clips = load(self.store, rows, self.preprocess)
        labels = torch.from_numpy(self.store.labels[rows]).tolist()
        return list(zip(clips.coordinates, clips.body_mask, labels, strict=True))
