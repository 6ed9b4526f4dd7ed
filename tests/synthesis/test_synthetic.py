"""Synthetic data sets: their files, what the clips hold, and that a seed determines them."""

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import (
    ClipName,
    Recording,
    SyntheticSettings,
    record_clips,
    skeleton_text,
    write_synthetic,
)
from crosscale.synthesis.performers import JOINTS

PARENTS = np.array(Layout.load("ntu25").parents)
XSUB_TRAIN = {1, 2, 4, 5, 8, 9}  # as far as needed here
SHORT = (8, 14)
TINY = SyntheticSettings(classes=12, subjects=3, cameras=2, repetitions=1, frames=SHORT)


def parse(text: str) -> tuple[list[list[str]], np.ndarray]:
    """Body lines and (frames, bodies, joints, 12) numbers of a `.skeleton` text."""
    lines = iter(text.splitlines())
    frames, body_lines = [], []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            body_lines.append(next(lines).split())
            bodies.append([next(lines).split() for _ in range(int(next(lines)))])
        frames.append(bodies)
    assert next(lines, None) is None
    return body_lines, np.array(frames, dtype=float)


def record_all(settings: SyntheticSettings) -> list[Recording]:
    recordings = []
    names = settings.names()
    for _, group in groupby(names, key=lambda name: (name.subject, name.repetition, name.action)):
        recordings += record_clips(list(group), settings.seed, settings.frames)
    return recordings


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.skeleton")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("synthetic") / "set", TINY).folder


@pytest.fixture(scope="module")
def demo_set() -> list[Recording]:
    return record_all(SyntheticSettings())


def test_a_folder_holds_every_combination_under_its_ntu_name(folder):
    names = sorted(path.stem for path in folder.glob("*.skeleton"))
    assert len(names) == 12 * 3 * 2
    assert names[0] == "S001C001P001R001A001"
    assert names[-1] == "S001C002P003R001A012"


def test_a_folder_says_that_it_is_synthetic_and_how_it_was_made(folder):
    assert "SYNTHETIC" in (folder / "README.txt").read_text()
    described = json.loads((folder / "synthetic.json").read_text())
    assert described["synthetic"] is True
    assert described["settings"]["classes"] == 12
    assert described["classes"]["A001"] == "drink"
    assert described["two_persons"] == ["A011", "A012"]


def test_files_have_the_ntu_format(folder):
    for path in folder.glob("*.skeleton"):
        body_lines, numbers = parse(path.read_text())
        frames, bodies, joints, columns = numbers.shape
        assert SHORT[0] <= frames <= SHORT[1]
        assert bodies == (2 if path.stem.endswith(("A011", "A012")) else 1)
        assert (joints, columns) == (25, 12)
        assert {len(line) for line in body_lines} == {10}
        assert len({line[0] for line in body_lines}) == bodies
        assert np.isin(numbers[..., 11], (1, 2)).all()
        assert np.isfinite(numbers).all()


def test_text_keeps_coordinates_to_a_micrometre():
    [recording] = record_clips([ClipName(2, 1, 11, 3)], seed=0, frames=SHORT)
    _, numbers = parse(skeleton_text(recording))
    np.testing.assert_allclose(numbers[..., :3], recording.coordinates, atol=1e-6)


def test_joints_stand_in_the_order_of_the_ntu_layout():
    assert Layout.load("ntu25").joints == JOINTS


def test_people_are_where_a_kinect_can_see_them(demo_set):
    for recording in demo_set:
        depth, height = recording.coordinates[..., 2], recording.coordinates[..., 1]
        assert 1.2 < depth.min() < depth.max() < 5.5
        assert -2.2 < height.min() < height.max() < 1.9
        assert 40 <= len(depth) <= 110
        head_to_base = recording.coordinates[:, :, 3] - recording.coordinates[:, :, 0]
        assert 0.4 < np.linalg.norm(head_to_base, axis=-1).mean() < 0.9


def test_bones_of_an_actor_keep_their_length_up_to_noise(demo_set):
    of_one = [r.coordinates[:, 0] for r in demo_set if r.name.subject == 1]
    lengths = [np.linalg.norm(x[:, 1:] - x[:, PARENTS[1:]], axis=-1).mean(axis=0) for x in of_one]
    assert np.std(lengths, axis=0).max() < 0.03


def test_actors_differ_in_size(demo_set):
    thighs = [
        np.linalg.norm(r.coordinates[:, 0, 13] - r.coordinates[:, 0, 12], axis=-1).mean()
        for r in demo_set
        if r.name.action == 1 and r.name.repetition == 1 and r.name.camera == 1
    ]
    assert np.ptp(thighs) > 0.04


def test_all_cameras_see_the_same_performance():
    one, two = record_clips([ClipName(1, 1, 7, 1), ClipName(1, 1, 7, 2)], seed=0)
    assert one.coordinates.shape == two.coordinates.shape
    spans = [
        np.linalg.norm(r.coordinates[:, 0, 3] - r.coordinates[:, 0, 15], axis=-1)
        for r in (one, two)
    ]  # from head to left foot: the same from everywhere, and changing as he picks up
    assert np.corrcoef(spans)[0, 1] > 0.98
    assert np.abs(one.coordinates - two.coordinates).max() > 0.3


def test_joints_behind_the_trunk_are_inferred_and_less_sure():
    recordings = record_all(SyntheticSettings(classes=12, subjects=2, frames=(30, 40)))
    tracking = np.concatenate([r.tracking.ravel() for r in recordings])
    assert 0.01 < (tracking == 1).mean() < 0.25


def test_the_number_of_workers_changes_nothing(folder, tmp_path):
    made = write_synthetic(tmp_path / "two", TINY, workers=2)
    assert contents(made.folder) == contents(folder)
    assert made.clips == 72


def test_a_subset_holds_the_same_clips_as_the_whole(folder, tmp_path):
    few = SyntheticSettings(12, 3, 2, 1, clips=20, frames=SHORT)
    subset = contents(write_synthetic(tmp_path / "few", few).folder)
    assert len(subset) == 20
    assert subset.items() <= contents(folder).items()


def test_another_seed_gives_other_clips_of_the_same_actions():
    first, second = (record_clips([ClipName(1, 1, 4, 1)], seed)[0].coordinates for seed in (0, 1))
    assert first.shape != second.shape or np.abs(first - second).max() > 0.05
    for coordinates in (first, second):  # both sit down
        assert np.ptp(coordinates[:, 0, 3, 1]) > 0.25


def test_progress_counts_every_clip(tmp_path):
    told: list[int] = []
    write_synthetic(tmp_path / "set", TINY, progress=told.append)
    assert sum(told) == 72
    assert len(told) > 1


def test_ntu_60_can_be_imitated_in_size_and_split():
    names = SyntheticSettings(classes=60, subjects=40, clips=500).names()
    assert len(set(map(str, names))) == 500
    assert {name.action for name in names} == set(range(1, 61))
    assert max(name.subject for name in names) == 40
    assert {name.setup % 2 for name in names} == {0, 1}


def test_cross_subject_has_both_sides_with_eight_subjects():
    subjects = {name.subject for name in SyntheticSettings().names()}
    assert subjects & XSUB_TRAIN
    assert subjects - XSUB_TRAIN


def nearest_neighbour_accuracy(recordings: list[Recording]) -> float:
    """Cross-subject accuracy of raw root-centred coordinates, resampled to 32 frames."""
    features = np.zeros((len(recordings), 32, 2, 25, 3))
    for row, recording in zip(features, recordings, strict=True):
        at = np.linspace(0, len(recording.coordinates) - 1, 32).round().astype(int)
        sampled = recording.coordinates[at]
        row[:, : sampled.shape[1]] = sampled - sampled[:, :1, 20:21]
    flat = features.reshape(len(features), -1)
    train = np.array([r.name.subject in XSUB_TRAIN for r in recordings])
    actions = np.array([r.name.action for r in recordings])
    squares = (flat**2).sum(axis=1)
    distance = squares[train] - 2 * flat[~train] @ flat[train].T
    return float((actions[train][distance.argmin(axis=1)] == actions[~train]).mean())


def test_raw_coordinates_tell_classes_better_than_chance_but_not_well(demo_set):
    assert 0.4 < nearest_neighbour_accuracy(demo_set) < 0.8


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"classes": 0}, "classes"),
        ({"classes": 5000}, "classes"),
        ({"cameras": 4}, "cameras"),
        ({"subjects": 1000}, "subjects"),
        ({"repetitions": 0}, "repetitions"),
        ({"frames": (20, 10)}, "frames"),
        ({"frames": (1, 10)}, "frames"),
        ({"clips": 577}, "clips must be 1 to 576"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_settings_are_refused(wrong, said):
    with pytest.raises(CrosscaleError, match=said):
        SyntheticSettings(**wrong)


def test_an_existing_folder_is_replaced_only_on_demand_and_only_if_synthetic(tmp_path):
    few = SyntheticSettings(2, 1, 1, 1, frames=SHORT)
    out = write_synthetic(tmp_path / "set", few).folder
    with pytest.raises(CrosscaleError, match="exists already"):
        write_synthetic(out, few)
    write_synthetic(out, SyntheticSettings(1, 1, 1, 1, frames=SHORT), overwrite=True)
    assert len(contents(out)) == 1
    (tmp_path / "letters").mkdir()
    with pytest.raises(CrosscaleError, match="no synthetic data set"):
        write_synthetic(tmp_path / "letters", few, overwrite=True)


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def stop(clips: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic(tmp_path / "set", TINY, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(CrosscaleError, match="0 workers"):
        write_synthetic(tmp_path / "set", TINY, workers=0)


def test_names_follow_the_ntu_pattern():
    name = ClipName(subject=9, repetition=2, action=61, camera=3)
    assert str(name) == "S003C003P009R002A061"
