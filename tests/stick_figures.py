"""Clips of a stick figure that bows, hops or waves: told apart by any encoder."""

from pathlib import Path

import numpy as np

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.skeleton.layout import Layout

LAYOUT = Layout.load("kinect20")
RATE = 20.0
ACTIONS = ("bow", "hop", "wave")


def act(action: str, *, frames: int = 40, seed: int = 0) -> np.ndarray:
    """(T, 1, 20, 3) of a stick figure that bows, hops, waves or stands, each in its own way."""
    rng = np.random.default_rng(seed)
    spots = np.linspace(0, 1, 20)
    height = 1 - spots[:, None] * 0.9
    still = np.hstack([0.3 * np.cos(spots[:, None] * 9), height, 0.1 * np.sin(spots[:, None] * 5)])
    x = np.repeat(still[None], frames, axis=0)
    cycles = np.arange(frames) / RATE * rng.uniform(0.9, 1.1)
    phase = 2 * np.pi * (cycles + rng.uniform())
    size = rng.uniform(0.9, 1.1)
    swing = size * np.sin(phase)[:, None]
    if action == "bow":
        x[:, :10, 2] += 0.8 * height[:10, 0] + 0.2 * swing
        x[:, :10, 1] -= 0.4 + 0.1 * swing
    elif action == "hop":
        x[..., 1] += 0.3 * np.abs(swing)
        x[:, 14:, 0] *= 3
    elif action == "wave":
        x[:, 4:8, 0] += 0.6 * swing
        x[:, 4:8, 1] += 0.8
    x += rng.normal(scale=0.003, size=x.shape)
    return x[:, None].astype(np.float32)


def acted_clips() -> list[Clip]:
    """Twelve clips of each action, half of them by either actor."""
    return [
        Clip(
            f"{action}_{i:02d}",
            act(action, frames=36 + i, seed=100 * a + i),
            ("0",),
            label=action,
            subject=1 + i % 2,
            frame_rate=RATE,
        )
        for a, action in enumerate(ACTIONS)
        for i in range(12)
    ]


def write_clips(folder: Path, clips: list[Clip]) -> ClipStore:
    """A store of clips."""
    with StoreWriter(folder, name="mine", layout=LAYOUT) as writer:
        for clip in clips:
            writer.add(clip)
        writer.provenance["source"] = "made up"
    return ClipStore.open(folder)
