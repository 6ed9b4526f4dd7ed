"""MultiRocket as a baseline: what is given to aeon, and what is made of its features."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.evaluation.baselines import MULTIROCKET, multirocket_vectors

MODULE = "aeon.transformations.collection.convolution_based"


class Pretended:
    """Takes the place of aeon's transformer: two numbers a series, and what it was fitted to."""

    fitted: np.ndarray

    def __init__(self, random_state):
        assert random_state == 0

    def fit(self, series):
        type(self).fitted = series
        return self

    def transform(self, series):
        return np.stack([series.mean(axis=(1, 2)), series.std(axis=(1, 2))], axis=1)


@pytest.fixture
def pretended(monkeypatch):
    module = ModuleType(MODULE)
    module.MultiRocket = Pretended
    parts = MODULE.split(".")
    for last in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:last]), ModuleType(parts[last - 1]))
    monkeypatch.setitem(sys.modules, MODULE, module)
    return Pretended


def test_it_learns_from_bodies_of_training_clips_alone(nwucla, pretended):
    train = np.arange(0, len(nwucla), 2)
    vectors = multirocket_vectors(nwucla, train)
    assert vectors.shape == (len(nwucla), 2)
    assert vectors.dtype == np.float32
    assert len(pretended.fitted) == 12 + 6 * 4  # every third shows two people, seen from each
    assert pretended.fitted.shape[1:] == (30, 48)  # coordinates of ten parts, by frame
    assert np.isfinite(vectors).all()


def test_it_is_left_out_where_aeon_is_not(nwucla, monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon", None)
    assert multirocket_vectors(nwucla, np.arange(4)) is None


@pytest.mark.usefixtures("pretended", "plain_figures")
def test_it_stands_among_the_baselines_by_ridge(run, tmp_path):
    out = tmp_path / "found"
    assert main(["evaluate", "knn", str(run), "--baselines", "--out", str(out)]) == 0
    found = json.loads((out / "results.json").read_text())["baselines"]
    named = [name for name in found if MULTIROCKET in name]
    assert named == [f"{MULTIROCKET}, linear layer by least squares"]


@pytest.mark.slow
def test_the_library_gives_what_is_expected(nwucla):
    pytest.importorskip("aeon")
    vectors = multirocket_vectors(nwucla, np.arange(0, len(nwucla), 2))
    assert vectors.shape == (len(nwucla), 49_728)
    assert np.isfinite(vectors).all()
