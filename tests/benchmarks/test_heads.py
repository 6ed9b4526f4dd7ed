"""What the benchmarks of `classify` print."""

import re

import numpy as np
import pytest

from benchmarks import heads, unknown
from crosscale.data.clip import Clip
from crosscale.evaluation.metrics import calibration_error
from crosscale.inference.head import make_head


@pytest.fixture
def acts(stored):
    """Twelve clips each of four acts that no two confuse, by four people."""
    rng = np.random.default_rng(0)
    clips = []
    for act in range(4):
        way = rng.normal(size=(20, 1, 20, 3))
        for i in range(12):
            x = way + 0.01 * rng.normal(size=way.shape)
            clips.append(Clip(f"{act} {i}", x, ("0",), label=f"act {act}", subject=i % 4))
    return stored(*clips)


def test_heads_are_told_by_labels_a_class(acts, capsys):
    heads.main([str(acts.path), "--draws", "2"])
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [int(row[1]) for row in rows] == 3 * list(heads.COUNTS)
    assert {row[0].strip() for row in rows} == set(heads.HEADS)
    assert all(float(row[2]) > 90 for row in rows)


def test_figures_of_a_head_are_those_of_its_answers():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(3), 200)
    x = np.eye(3)[codes] + 0.8 * rng.normal(size=(600, 3))
    head = make_head("linear").fit(x[::20], codes[::20])
    right, error, asked = heads.figures(head, x, codes)
    assert right == pytest.approx(100 * (head.predict(x) == codes).mean())
    named = head.predict(x) == codes
    assert error == pytest.approx(100 * calibration_error(head.predict_proba(x), named))
    head.temperature_ = asked
    assert heads.figures(head, x, codes).error < error + 1
    assert heads.figures(head, x, codes).temperature == pytest.approx(asked, rel=1e-3)


@pytest.mark.parametrize("more", [[], ["--apart"], ["--strangers"]])
def test_clips_of_classes_without_a_label_are_told_apart_from_others(acts, more, capsys):
    unknown.main([str(acts.path), "--classes", "3", "--clips", "5", *more])
    right, said, known, others = map(float, re.findall(r"[\d.]+", capsys.readouterr().out))
    assert right > 90
    assert said > 90
    assert known < others
