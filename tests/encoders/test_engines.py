import sys
from typing import get_args

import pytest
import torch
from torch import nn

from crosscale.encoders import ENCODERS, create_encoder, engines
from crosscale.encoders.engines import available, build, choose
from crosscale.encoders.fused import SPECTRAL_CHANNELS
from crosscale.encoders.readout import Readout
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.utils.choices import EngineName

FRAMES = 12
LAYOUT = Layout.load("ntu25")
FULL = [name for name in get_args(EngineName) if name != "compiled"]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    made = STGCN(LAYOUT.scale("joints"), EncoderSettings(hidden=4, width=SPECTRAL_CHANNELS))
    for _ in range(3):
        made(1 + torch.randn(4, 3, FRAMES, 25, 1))
    return made.eval()


def _bodies(count, seed=1):
    return torch.randn(count, 3, FRAMES, 25, generator=torch.Generator().manual_seed(seed))


def _error(found, right):
    return ((found - right).norm() / right.norm()).item()


def _need(name):
    if name not in available():
        pytest.skip(f"engine {name} needs {' and '.join(engines.LIBRARIES[name][0])}")


def _check_any_batch(engine, encoder, tolerance):
    for count in (1, 2, 7, 8, 9, 20):
        bodies = _bodies(count, seed=count)
        with torch.no_grad():
            right = encoder(bodies.unsqueeze(-1))
        assert _error(engine(bodies), right) < tolerance
        scattered = bodies.transpose(1, 3).contiguous().transpose(1, 3)
        assert _error(engine(scattered), right) < tolerance


@pytest.mark.parametrize(
    "name", [n if n == "torch" else pytest.param(n, marks=pytest.mark.slow) for n in FULL]
)
def test_an_engine_agrees_with_the_encoder_on_any_number_of_bodies(name, encoder):
    _need(name)
    _check_any_batch(build(name, Readout(encoder), _bodies(8), threads=1), encoder, 1e-4)


@pytest.mark.parametrize("name", FULL)
def test_any_network_runs_on_an_engine(name):
    _need(name)
    layers = nn.Conv2d(3, 5, (3, 1), padding=(1, 0)), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    network = nn.Sequential(*layers, nn.Flatten()).eval()
    engine = build(name, network, _bodies(4), threads=1)
    for count in (1, 9):
        bodies = _bodies(count, seed=count)
        torch.testing.assert_close(engine(bodies), network(bodies).detach(), rtol=0, atol=1e-5)


SMALL = {"stgcn": {"hidden": 8}, "tcn": {"width": 8}, "transformer": {}, "rocket": {"features": 84}}


@pytest.mark.parametrize("name", [name for name in FULL if name != "torch"])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [*((kind, SMALL[kind]) for kind in ENCODERS.built_in()), ("tcn", {"width": 8, "chiral": True})],
)
def test_every_encoder_runs_on_every_engine(kind, settings, name):
    _need(name)
    torch.manual_seed(0)
    encoder = create_encoder(kind, LAYOUT.scale("part10"), **settings).eval()
    readout = Readout(encoder, layers="all")
    bodies = torch.randn(9, 3, 48, 10)
    with torch.no_grad():
        right = readout(bodies)
    assert _error(build(name, readout, bodies, threads=1)(bodies), right) < 1e-4


@pytest.mark.slow
def test_the_compiled_engine_agrees_where_a_compiler_works(encoder):
    try:
        engine = build("compiled", Readout(encoder), _bodies(8))
    except Exception as error:
        pytest.skip(f"torch.compile does not work here: {type(error).__name__}")
    _check_any_batch(engine, encoder, 1e-4)


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("openvino", "openvino", "openvino"),
        ("onnxruntime", "onnxscript", "onnxruntime"),
    ],
)
def test_a_missing_library_is_named_with_what_to_type(name, library, extra, encoder, monkeypatch):
    for other in set(engines.LIBRARIES[name][0]) - {library}:
        pytest.importorskip(other)
    monkeypatch.setitem(sys.modules, library, None)
    assert name not in available()
    with pytest.raises(CrosscaleError, match=rf"{library}: pip install 'crosscale\[{extra}\]'"):
        build(name, Readout(encoder), _bodies(8))


def test_a_mistyped_engine_is_told_the_nearest(encoder):
    with pytest.raises(CrosscaleError, match="did you mean 'openvino'"):
        build("opnvino", Readout(encoder), _bodies(8))


def test_a_gpu_has_the_engines_of_pytorch_only():
    assert available("cuda") == ("torch", "compiled")
    assert choose(10**6, "cuda") == "torch"


def test_auto_builds_a_faster_engine_for_many_bodies_only(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda library: True)
    assert choose(engines.WORTH_BUILDING - 1) == "torch"
    assert choose(engines.WORTH_BUILDING) == "openvino"
    monkeypatch.setattr(engines, "find_spec", lambda lib: None if lib == "openvino" else True)
    assert choose(engines.WORTH_BUILDING) == "onnxruntime"
    monkeypatch.setattr(engines, "find_spec", lambda library: None)
    assert choose(engines.WORTH_BUILDING) == "torch"
