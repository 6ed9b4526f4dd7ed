from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import stick_figures
from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.models.checkpoint import TrainedEncoders, load_encoders, save_encoders
from crosscale.models.model import Model, load_model
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import Preprocess

LAYOUT = Layout.load("kinect20")
STREAMS = ("joint", "motion", "bone@part10")


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    """Write encoders whose every number differs from where it started."""

    def make(streams=STREAMS, preprocess=None, **settings) -> Path:
        torch.manual_seed(0)
        chosen = EncoderSettings(hidden=4, width=8, **settings)
        encoders = {}
        for name in streams:
            encoder = STGCN(Stream.parse(name).graph(LAYOUT), chosen)
            with torch.no_grad():
                for parameter in encoder.parameters():
                    parameter += 0.1 * torch.randn_like(parameter)
            encoder(1 + torch.randn(8, 3, 16, encoder.adjacency.shape[-1], 2))
            encoders[name] = encoder.eval()
        folder = tmp_path_factory.mktemp("runs") / "run"
        save_encoders(
            folder,
            encoders,
            LAYOUT,
            preprocess or Preprocess(frames=16),
            classes=["sit", "stand"],
            protocol="xview",
            store="mine",
            data=Path("/home/somebody/mine"),
            epoch=3,
            seed=7,
        )
        return folder

    return make


@pytest.fixture(scope="session")
def run(make_run) -> Path:
    return make_run()


@pytest.fixture(scope="session")
def trained(run) -> TrainedEncoders:
    return load_encoders(run)


@pytest.fixture(scope="session")
def act() -> Callable[..., np.ndarray]:
    return stick_figures.act


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return stick_figures.acted_clips()


@pytest.fixture(scope="session")
def store(tmp_path_factory, clips) -> ClipStore:
    return stick_figures.write_clips(tmp_path_factory.mktemp("models") / "store", clips)


@pytest.fixture(scope="session")
def model(make_run) -> Model:
    return load_model(make_run(("joint", "joint@part10")))
