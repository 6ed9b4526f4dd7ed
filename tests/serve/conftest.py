from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_name import ODD

from crosscale.cli import main
from crosscale.data.clip import Clip
from crosscale.data.merge import merge
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.inference.head import make_head
from crosscale.inference.index import Index, build_index
from crosscale.inference.labels import label_names
from crosscale.models.model import Model, load
from crosscale.skeleton.layout import Layout
from crosscale.viz.layout_places import tree_places
from tiny_run import TINY

LAYOUT = Layout.load("blazepose33")
RATE = 25.0
ACTIONS = ("bow", "hop", "wave")


def _act(action: str, *, frames: int = 50, seed: int = 0) -> np.ndarray:
    """(T, 1, 33, 3) metres of somebody who bows, hops or waves."""
    rng = np.random.default_rng(seed)
    flat = tree_places(LAYOUT)
    still = np.column_stack([-flat[:, 0], flat[:, 1], np.zeros(len(flat))])
    still *= 1.7 / np.ptp(still[:, 1])
    x = np.repeat(still[None], frames, axis=0)
    phase = 2 * np.pi * (np.arange(frames) / RATE + rng.uniform())
    swing = rng.uniform(0.9, 1.1) * np.sin(phase)[:, None]
    above = still[:, 1] > still[LAYOUT.joints.index("left_hip"), 1]
    arms = [i for i, name in enumerate(LAYOUT.joints) if "wrist" in name or "index" in name]
    if action == "bow":
        x[:, above, 2] += 0.7 * np.abs(swing)
        x[:, above, 1] -= 0.4 * np.abs(swing)
    elif action == "hop":
        x[..., 1] += 0.4 * np.abs(swing)
    else:
        x[:, arms, 1] += 0.9
        x[:, arms, 0] += 0.3 * swing
    x += rng.normal(scale=0.003, size=x.shape)
    return x[:, None].astype(np.float32)


@pytest.fixture(scope="session")
def act() -> Callable[..., np.ndarray]:
    return _act


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """Ten clips of each action, one with an odd name."""
    path: Path = tmp_path_factory.mktemp("serve") / "store"
    with StoreWriter(path, name="mine", layout=LAYOUT) as writer:
        for a, action in enumerate(ACTIONS):
            for i in range(10):
                name = ODD if (action, i) == ("wave", 3) else f"{action}_{i}"
                x = _act(action, seed=100 * a + i)
                writer.add(Clip(name, x, ("0",), action, subject=1 + i % 2, frame_rate=RATE))
    return ClipStore.open(path)


def _trained(data: Path, out: Path) -> Path:
    arguments = ["pretrain", "synthetic/skeletonclr", "--data", str(data), "--out", str(out)]
    assert main([*arguments, "--protocol=random_subjects", *TINY]) == 0
    return out


@pytest.fixture(scope="session")
def run(store: ClipStore) -> Path:
    """An encoder of ten parts, trained for one epoch."""
    parts = store.path.parent / "parts"
    merge([store], parts, layout="part10")
    return _trained(parts, store.path.parent / "run")


@pytest.fixture(scope="session")
def model(run: Path) -> Model:
    return load(run)


@pytest.fixture(scope="session")
def joint_model(store: ClipStore) -> Model:
    """An encoder of the 33 landmarks alone."""
    return load(_trained(store.path, store.path.parent / "joint run"))


@pytest.fixture(scope="session")
def index(model: Model, store: ClipStore, run: Path) -> Index:
    path = store.path.parent / "mine.index"
    build_index(path, model, store, model.chunks(store), run=run)
    return Index.open(path)


@pytest.fixture(scope="session")
def head(model: Model, store: ClipStore) -> Any:
    return make_head("linear", 0.0).fit(model.embed(store), label_names(store).astype(str))
