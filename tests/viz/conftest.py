import shutil
from pathlib import Path

import numpy as np
import pytest
from player_pages import WICKED, body

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.skeleton.layout import Layout


@pytest.fixture(scope="session")
def kinect20() -> Layout:
    return Layout.load("kinect20")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, kinect20: Layout) -> ClipStore:
    """Six clips of three classes; one has a second body that leaves, one a wicked name."""
    path: Path = tmp_path_factory.mktemp("look") / "store"
    with StoreWriter(path, name="mine", layout=kinect20) as writer:
        for i, name in enumerate(["sit_1", "sit_2", "wave_1", "wave_2", "jump_1", WICKED]):
            x = body(kinect20, i, frames=20 + 5 * i, bodies=1 + (i == 2))
            x[10:, 1:] = np.nan
            bodies = tuple(str(b) for b in range(x.shape[1]))
            label = name.split("_")[0] if "_" in name else "jump"
            rate = None if i == 1 else 25.0
            writer.add(Clip(name, x, bodies, label, subject=i % 2, frame_rate=rate))
    return ClipStore.open(path)


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with api.sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()
