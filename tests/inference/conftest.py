from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.models.model import Model, load
from crosscale.skeleton.layout import Layout
from tiny_run import TINY

LAYOUT = Layout.load("kinect20")
RATE = 20.0
ACTIONS = ("bow", "hop", "wave")


def _act(action: str, *, frames: int = 40, seed: int = 0) -> np.ndarray:
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


@pytest.fixture(scope="session")
def act() -> Callable[..., np.ndarray]:
    return _act


def _write(folder: Path, clips: list[Clip]) -> ClipStore:
    with StoreWriter(folder, name="mine", layout=LAYOUT) as writer:
        for clip in clips:
            writer.add(clip)
        writer.provenance["source"] = "made up"
    return ClipStore.open(folder)


@pytest.fixture
def write_store(tmp_path: Path) -> Callable[..., ClipStore]:
    """Write clips to a store below the test's folder."""
    return lambda name, clips: _write(tmp_path / name, clips)


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """Twelve clips of each action, half of them by either actor."""
    return [
        Clip(
            f"{action}_{i:02d}",
            _act(action, frames=36 + i, seed=100 * a + i),
            ("0",),
            label=action,
            subject=1 + i % 2,
            frame_rate=RATE,
        )
        for a, action in enumerate(ACTIONS)
        for i in range(12)
    ]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> ClipStore:
    return _write(tmp_path_factory.mktemp("predict") / "store", clips)


@pytest.fixture(scope="session")
def run(store: ClipStore) -> Path:
    """Trained for one epoch, on two streams."""
    out = store.path.parent / "run"
    arguments = ["pretrain", "synthetic/crosscale", "--data", str(store.path), "--out", str(out)]
    assert main([*arguments, "--protocol=random_subjects", *TINY]) == 0
    return out


@pytest.fixture(scope="session")
def model(run: Path) -> Model:
    return load(run)


@pytest.fixture(scope="session")
def other_run(store: ClipStore) -> Path:
    """Another seed: another encoder of the same shape."""
    out = store.path.parent / "other"
    arguments = ["pretrain", "synthetic/crosscale", "--data", str(store.path), "--out", str(out)]
    assert main([*arguments, "--protocol=random_subjects", "--seed=1", *TINY]) == 0
    return out
