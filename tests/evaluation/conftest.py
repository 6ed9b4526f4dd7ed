from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.evaluation import report
from crosscale.models.checkpoint import save_encoders
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import Preprocess

SMALL = EncoderSettings(hidden=2, width=8, dropout=0.5)
CLASSES = {
    "nwucla": ("carry", "throw", "sit down"),
    "utdmhad": ("wave", "clap", "draw", "bowl"),
    "mine": ("jump", "kick"),
}


def _action(which: int, rng: np.random.Generator, layout: Layout, frames: int) -> np.ndarray:
    """One body (T, V, 3) that swings its own joints at its own speed."""
    joints = len(layout.joints)
    rest = np.random.default_rng(0).normal(size=(joints, 3))
    swing = np.random.default_rng(1 + which).normal(size=(joints, 3))
    time = np.linspace(0, 2 + which, frames)[:, None, None]
    noise = 0.05 * rng.normal(size=(frames, joints, 3))
    return rest + 0.8 * np.sin(np.pi * time) * swing + noise


def _clips(name: str, layout: Layout) -> list[Clip]:
    """Every class by four subjects before three cameras; every third clip shows two people."""
    clips = []
    rng = np.random.default_rng(7)
    combinations = np.ndindex(len(CLASSES[name]), 4, 3)
    for number, (which, subject, camera) in enumerate(combinations):
        bodies = 1 + (number % 3 == 0)
        x = [_action(which, rng, layout, 12 + number % 4) for _ in range(bodies)]
        clips.append(
            Clip(
                f"{name}{number}",
                np.stack(x, axis=1).astype(np.float32),
                tuple(str(i) for i in range(bodies)),
                label=CLASSES[name][which],
                subject=subject + 1,
                camera=camera + 1,
            )
        )
    return clips


@pytest.fixture(scope="session")
def write_store(tmp_path_factory) -> Callable[..., ClipStore]:
    """Write a small store of a known data set, its clips changed by a function of the clip."""

    def write(name: str = "nwucla", change=lambda clip: clip, layout="kinect20") -> ClipStore:
        path = tmp_path_factory.mktemp("stores") / name
        loaded = Layout.load(layout)
        with StoreWriter(path, name=name, layout=loaded, classes=CLASSES[name]) as writer:
            for clip in _clips(name, loaded):
                writer.add(change(clip))
        return ClipStore.open(path)

    return write


@pytest.fixture(scope="session")
def nwucla(write_store) -> ClipStore:
    """24 clips of cameras 1 and 2 train, 12 of camera 3 test."""
    return write_store("nwucla")


@pytest.fixture(scope="session")
def utdmhad(write_store) -> ClipStore:
    """24 clips of odd subjects train, 24 of even ones test."""
    return write_store("utdmhad")


@pytest.fixture
def plain_figures(monkeypatch) -> None:
    """Reports whose figures, which take most of a small evaluation's time, are left empty."""
    for name in ("confusion_svg", "curves_svg", "map_svg"):
        monkeypatch.setattr(report, name, lambda *drawn: "<svg/>")
    monkeypatch.setattr(report, "tsne", lambda vectors, seed: vectors[:, :2])


@pytest.fixture
def make_run(nwucla, tmp_path) -> Callable[..., Path]:
    """Write a run of two streams on `nwucla`, with random weights in place of trained ones."""

    def make(
        name="run", streams=("joint", "joint@part10"), bodies=2, seed=0, protocol="xview"
    ) -> Path:
        torch.manual_seed(seed)
        encoders = {s: STGCN(Stream.parse(s).graph(nwucla.layout), SMALL) for s in streams}
        for encoder in encoders.values():
            for parameter in encoder.parameters():  # biases too, which start as zeros
                parameter.data += 0.05 * torch.randn(parameter.shape)
        save_encoders(
            tmp_path / name,
            encoders,
            nwucla.layout,
            Preprocess(frames=12, bodies=bodies),
            classes=list(nwucla.classes),
            protocol=protocol,
            store=nwucla.name,
            data=nwucla.path,
            epoch=3,
            seed=seed,
        )
        return tmp_path / name

    return make


@pytest.fixture
def run(make_run) -> Path:
    return make_run()
