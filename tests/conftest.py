import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.skeleton.layout import Layout

# Threads that wait for each other cost far more than they give where several tests run at once.
torch.set_num_threads(1)
# What a disk keeps when the power fails no test sees, and to wait for it takes as long as the rest.
os.fsync = lambda descriptor: None

FEW = 20  # examples of a property without the slow tests, where a test names no number itself
SHARED = Path(__file__).parents[2] / "shared"
JOINTS = 20


def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis draw fewer examples where slow tests are left out."""
    is_fast = "not slow" in config.getoption("markexpr")
    # How long a test takes says how busy the machine is, and nothing of the code.
    settings.register_profile(
        "here",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        max_examples=FEW if is_fast else settings.default.max_examples,
    )
    settings.load_profile("here")


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """A path below ../shared, or a skip that says what is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"../shared/{name} is not on this machine")
        return path

    return find


@pytest.fixture(scope="session")
def golden() -> Path:
    """Numbers computed from the published code."""
    return Path(__file__).parent / "golden"


def _clip(
    name: str, *, seed: int | None = None, frames: int = 5, bodies: int = 1, **fields
) -> Clip:
    """A clip of random numbers; the same seed gives the same coordinates."""
    rng = np.random.default_rng(zlib.crc32(name.encode()) if seed is None else seed)
    x = rng.normal(size=(frames, bodies, JOINTS, 3)).astype(np.float32)
    return Clip(name, x, tuple(str(i) for i in range(bodies)), **fields)


@pytest.fixture(scope="session")
def clip() -> Callable[..., Clip]:
    return _clip


@pytest.fixture(scope="session")
def kinect20() -> Layout:
    return Layout.load("kinect20")


@pytest.fixture
def stored(tmp_path: Path, kinect20: Layout) -> Callable[..., ClipStore]:
    """Write clips to a store and open it."""

    def store(*clips: Clip, name: str = "mine", **options) -> ClipStore:
        with StoreWriter(tmp_path / name, name=name, layout=kinect20, **options) as writer:
            for one in clips:
                writer.add(one)
        return ClipStore.open(tmp_path / name)

    return store
