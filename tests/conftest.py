from collections.abc import Callable
from pathlib import Path

import pytest
import torch

# Threads that wait for each other cost far more than they give where several tests run at once.
torch.set_num_threads(1)

SHARED = Path(__file__).parents[2] / "shared"


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
