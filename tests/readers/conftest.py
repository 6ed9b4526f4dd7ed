from collections.abc import Callable, Sequence

import numpy as np
import pytest

import skeleton_files
from skeleton_files import Body


@pytest.fixture(scope="session")
def skeleton_text() -> Callable[[Sequence[Sequence[Body]]], bytes]:
    """Writes frames of bodies (id, (V, 3) metres) as the text of a `.skeleton` file."""
    return skeleton_files.skeleton_text


@pytest.fixture
def standing() -> Callable[..., np.ndarray]:
    """A person of 25 joints, upright, at a place on the floor, float32."""
    return skeleton_files.standing
