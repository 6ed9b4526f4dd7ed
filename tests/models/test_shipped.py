"""Encoders of the package know a motion again, whoever performs it and whatever sees it."""

import numpy as np
import pytest
import torch

import crosscale
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.pairs import draw_meetings, perform_together
from crosscale.synthesis.performers import JOINTS, perform
from crosscale.synthesis.programs import draw_programs

COUNT = 100
KINECT = {"hip_centre": "spine_base", "spine": "spine_mid", "shoulder_centre": "spine_shoulder"}


def clips(performance: torch.Tensor, joints: list[str]) -> list[np.ndarray]:
    """(B, 3, T, 25) as arrays (T, 1, V, 3) of the joints of a sensor."""
    order = [JOINTS.index(joint) for joint in joints]
    return list(performance[..., order].permute(0, 2, 3, 1)[:, :, None].numpy())


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each of some vectors (N, D) and each of others: (N, N)."""
    one, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other))
    return one @ other.T


def found(one: np.ndarray, other: np.ndarray) -> float:
    """The share of vectors whose nearest is that of the same program."""
    return float(np.mean(cosines(one, other).argmax(axis=1) == np.arange(len(one))))


@pytest.fixture(scope="module")
def performances():
    programs = draw_programs(COUNT, Draw(10))
    return [perform(programs, Draw(seed), 60) for seed in (11, 12)]


def test_a_program_is_found_among_others_when_someone_else_performs_it(performances):
    model = crosscale.load_model("body")
    one, other = (model.embed(clips(seen, list(JOINTS)), "ntu25") for seen in performances)
    assert one.shape == (COUNT, 512)
    assert found(one, other) > 0.8


@pytest.fixture(scope="module")
def kinect():
    """The joints of an older sensor, by the names of those that performers have."""
    return [KINECT.get(joint, joint) for joint in Layout.load("kinect20").joints]


def test_a_performance_seen_by_two_sensors_gives_near_vectors_and_other_actions_do_not(
    performances, kinect
):
    model = crosscale.load_model("body")
    one = model.embed(clips(performances[0], list(JOINTS)), "ntu25")
    other = model.embed(clips(performances[0], kinect), "kinect20")
    near = cosines(one, other)
    different = near[~np.eye(COUNT, dtype=bool)]
    assert near.diagonal().min() > 0.9
    assert different.max() < 0.9
    assert different.mean() < 0.1


def test_it_is_found_by_another_sensor_too(performances, kinect):
    model = crosscale.load_model("body")
    one = model.embed(clips(performances[0], list(JOINTS)), "ntu25")
    other = model.embed(clips(performances[1], kinect), "kinect20")
    assert found(one, other) > 0.7


@pytest.mark.parametrize("name", ["body", "body-2d", "rocket"])
def test_which_of_two_people_was_recorded_first_makes_no_difference(name):
    draw = Draw(20)
    programs = draw_programs(5, draw)
    meeting = draw_meetings(programs, draw_programs(5, draw), draw)
    seen = perform_together(programs, meeting, Draw(21), 60, Manner())  # (5, 2, 3, 60, 25)
    pairs = list(seen.permute(0, 3, 1, 4, 2).numpy()[..., : 2 if name == "body-2d" else 3])
    model = crosscale.load_model(name)
    one, other = (
        model.embed([pair[:, order] for pair in pairs], "ntu25") for order in ([0, 1], [1, 0])
    )
    alone = model.embed([pair[:, :1] for pair in pairs], "ntu25")
    np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(one).max())
    assert np.abs(one - alone).max() > 1e-2 * np.abs(one).max()


def test_each_is_small_and_names_no_place():
    for name in crosscale.models.hub.built_in():
        folder = crosscale.models.hub.BUILT_IN / name
        assert sum(file.stat().st_size for file in folder.iterdir()) < 8e6
        for file in folder.glob("*.*"):
            assert b"/tmp/" not in file.read_bytes()
