"""Reading, preprocessing and evaluation as research code usually does them, to measure against."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from crosscale.skeleton.layout import Layout


def read_skeleton(path: Path) -> np.ndarray:
    """The first body's joints (T, V, 3) of a `.skeleton` file, line by line."""
    frames = []
    with path.open() as file:
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                file.readline()
                joints = int(file.readline())
                bodies.append([[float(w) for w in file.readline().split()] for _ in range(joints)])
            if bodies:
                frames.append([joint[:3] for joint in bodies[0]])
    return np.array(frames, np.float32)


def preprocess(clip: np.ndarray, layout: Layout, frames: int) -> Tensor:
    """One clip (T, M, V, 3) to (3, frames, V, M): root, length and facing, frame by frame."""
    x = np.nan_to_num(clip.copy())
    for t in range(len(x)):
        x[t] -= x[t, 0, list(layout.root)].mean(axis=0)
    count, bodies, joints, _ = x.shape
    flat = torch.from_numpy(x).permute(3, 1, 2, 0).reshape(1, -1, count)
    flat = functional.interpolate(flat, size=frames, mode="linear", align_corners=False)
    x = flat.reshape(3, bodies, joints, frames).permute(0, 3, 2, 1).numpy().copy()
    left, right = layout.shoulders
    for t in range(frames):
        across = x[:, t, right, 0] - x[:, t, left, 0]
        angle = -np.arctan2(across[2], across[0])
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
        x[:, t] = np.einsum("ij,jvm->ivm", turn, x[:, t])
    return torch.from_numpy(x)


def linear_epoch(x: Tensor, y: Tensor, classes: int) -> None:
    """One epoch of a linear layer over stored features, fed by a data loader."""
    layer = nn.Linear(x.shape[1], classes)
    optimiser = torch.optim.SGD(layer.parameters(), lr=3.0, momentum=0.9)
    for features, labels in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
        loss = functional.cross_entropy(layer(features), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
