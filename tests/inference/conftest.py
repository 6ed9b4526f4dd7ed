from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import stick_figures
from crosscale.cli import main
from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore
from crosscale.models.model import Model, load
from stick_figures import acted_clips, write_clips
from tiny_run import TINY


@pytest.fixture(scope="session")
def act() -> Callable[..., np.ndarray]:
    return stick_figures.act


@pytest.fixture
def write_store(tmp_path: Path) -> Callable[..., ClipStore]:
    """Write clips to a store below the test's folder."""
    return lambda name, clips: write_clips(tmp_path / name, clips)


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return acted_clips()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> ClipStore:
    return write_clips(tmp_path_factory.mktemp("predict") / "store", clips)


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
