"""Encoders of the package know a motion again, whoever performs it and whatever sees it."""

import numpy as np
import pytest
import torch

import crosscale
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.body import JOINTS
from crosscale.synthesis.performers import perform
from crosscale.synthesis.programs import Draw, draw_programs

COUNT = 100
KINECT = {"hip_centre": "spine_base", "spine": "spine_mid", "shoulder_centre": "spine_shoulder"}


def clips(performance: torch.Tensor, joints: list[str]) -> list[np.ndarray]:
    """(B, 3, T, 25) as arrays (T, 1, V, 3) of the joints of a sensor."""
    order = [JOINTS.index(joint) for joint in joints]
    return list(performance[..., order].permute(0, 2, 3, 1)[:, :, None].numpy())


def found(one: np.ndarray, other: np.ndarray) -> float:
    """The share of vectors whose nearest is that of the same program."""
    one, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other))
    return float(np.mean((one @ other.T).argmax(axis=1) == np.arange(len(one))))


@pytest.fixture(scope="module")
def performances():
    programs = draw_programs(COUNT, Draw(10))
    return [perform(programs, Draw(seed), 60) for seed in (11, 12)]


def test_a_program_is_found_among_others_when_someone_else_performs_it(performances):
    model = crosscale.load_model("body")
    one, other = (model.embed(clips(seen, list(JOINTS)), "ntu25") for seen in performances)
    assert one.shape == (COUNT, 512)
    assert found(one, other) > 0.8


def test_it_is_found_by_another_sensor_too(performances):
    model = crosscale.load_model("body")
    kinect = [KINECT.get(joint, joint) for joint in Layout.load("kinect20").joints]
    one = model.embed(clips(performances[0], list(JOINTS)), "ntu25")
    other = model.embed(clips(performances[1], kinect), "kinect20")
    assert found(one, other) > 0.7


def test_each_is_small_and_names_no_place():
    for name in crosscale.models.hub.built_in():
        folder = crosscale.models.hub.BUILT_IN / name
        assert sum(file.stat().st_size for file in folder.iterdir()) < 8e6
        for file in folder.glob("*.*"):
            assert b"/tmp/" not in file.read_bytes()
