"""`crosscale benchmark`: what it judges, and what its table says."""

import csv
from importlib.util import find_spec

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.evaluation.baselines import HALF_WHITE, MULTIROCKET, RAW, ROCKET
from crosscale.evaluation.comparison.benchmark import Benchmark, Ground, Tallies
from crosscale.evaluation.judge import COLUMNS, Answers


def answers(right):
    right = np.asarray(right, bool)
    return Answers(np.arange(len(right)), right, np.full(len(right), 1 / len(right)))


def ground(title, shares, subjects=20, each=10):
    """Features by name that are right in so large a share of every subject's clips."""
    group = np.repeat(np.arange(subjects), each)
    tallies = {}
    for name, share in shares.items():
        right = np.tile(np.arange(each) < share * each, subjects)
        tallies[name] = dict.fromkeys(COLUMNS, Tallies.of([answers(right)], group))
    return Ground(title, tallies, subjects=True)


def found(*grounds):
    names = dict.fromkeys(grounds[0].tallies, 512)
    return Benchmark(("mine",), names, grounds, draws=10)


def test_the_share_of_errors_removed_is_told_of_the_best_floor():
    benchmark = found(ground("a", {"mine": 0.9, RAW: 0.5, ROCKET: 0.8, HALF_WHITE: 0.6}))
    removed = benchmark.removed("mine", COLUMNS[0], benchmark.grounds)
    assert benchmark.floor(COLUMNS[0], benchmark.grounds) == ROCKET
    assert removed.value == pytest.approx(0.5)
    assert (removed.low, removed.high) == pytest.approx((0.5, 0.5)), "all subjects are alike"


def test_the_mean_of_all_grounds_weighs_them_alike_and_its_floor_is_one():
    one = ground("a", {"mine": 0.9, RAW: 0.9, ROCKET: 0.2, HALF_WHITE: 0.1})
    two = ground("b", {"mine": 0.7, RAW: 0.1, ROCKET: 0.6, HALF_WHITE: 0.1}, subjects=3)
    benchmark = found(one, two)
    assert benchmark.floor(COLUMNS[1], benchmark.grounds) == RAW
    assert benchmark.top1("mine", COLUMNS[1], benchmark.grounds) == pytest.approx(0.8)
    removed = benchmark.removed("mine", COLUMNS[1], benchmark.grounds)
    assert removed.value == pytest.approx((0.8 - 0.5) / 0.5)


def test_the_interval_is_of_subjects_drawn_anew_the_same_for_both():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 10)
    skill = rng.uniform(0.2, 0.9, 30)[group]  # of subjects, which features share
    theirs = rng.random(300) < skill
    ours = theirs | (rng.random(300) < 0.2)
    tallies = {
        name: dict.fromkeys(COLUMNS, Tallies.of([answers(right)], group))
        for name, right in (("mine", ours), (RAW, theirs))
    }
    benchmark = found(Ground("a", tallies, subjects=True))
    removed = benchmark.removed("mine", COLUMNS[0], benchmark.grounds)
    assert removed.value == pytest.approx(0.2, abs=0.06)
    # Of figures that are not paired, the subjects' skill alone would make it 0.5 wide.
    assert removed.value - 0.12 < removed.low < removed.value < removed.high < removed.value + 0.12


def test_clips_of_several_seeds_are_averaged():
    both = Tallies.of([answers([1, 1, 0, 0]), answers([1, 0, 0, 0])], np.array([0, 0, 1, 1]))
    assert both.top1 == pytest.approx(0.375)
    assert both.resampled(np.array([[2, 0], [0, 2]])).tolist() == [0.75, 0]


def test_the_command_writes_one_table_of_all_in_three_forms(run, nwucla, utdmhad, tmp_path):
    out = tmp_path / "tables"
    words = [str(run), "rocket", str(nwucla.path), f"{utdmhad.path}@folds:2", "--out", str(out)]
    assert main(["benchmark", *words, "--draws=2"]) == 0
    table = (out / "table.md").read_text()
    with (out / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    grounds = ["nwucla, xview", "utdmhad, folds:2", "mean of all"]
    features = [str(run), "rocket", f"{run}, untrained", RAW, ROCKET, HALF_WHITE]
    features += [MULTIROCKET] * (find_spec("aeon") is not None)
    assert list(dict.fromkeys(row["data"] for row in rows)) == grounds
    assert list(dict.fromkeys(row["features"] for row in rows)) == features
    assert len(rows) == len(grounds) * len(features) * len(COLUMNS)
    judged = [row for row in rows if row["features"] in (str(run), "rocket")]
    for row in judged:
        ours, floor = float(row["top1"]), float(row["floor_top1"])
        removed = (ours - floor) / max(1 - floor, 1e-3)
        assert float(row["errors_removed"]) == pytest.approx(removed)
        assert float(row["low"]) <= removed <= float(row["high"])
    assert not any(row["low"] for row in rows if row not in judged)
    (ours, plain) = (
        [float(row["top1"]) for row in rows if row["features"] == name]
        for name in ("rocket", ROCKET)
    )
    assert ours == plain
    assert all(f"| {name} |" in table for name in features)
    assert "(over clips for" not in table
    page = (out / "table.html").read_text()
    assert all(title in page for title in grounds)


def test_what_cannot_be_judged_is_refused(run, nwucla, tmp_path, capsys):
    for words, message in (
        ([str(run)], "name one store or more"),
        ([str(nwucla.path)], "name one encoder or more"),
        ([str(run), f"{nwucla.path}@xsub"], "no protocol 'xsub'"),
        ([str(run), str(nwucla.path), f"{nwucla.path}@xview"], "the same data and protocol twice"),
    ):
        assert main(["benchmark", *words, "--out", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
