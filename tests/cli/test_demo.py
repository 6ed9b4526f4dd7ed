"""`crosscale demo`: what it makes, and that its verdict is what it measured."""

import re

import pytest

from crosscale.cli import demo_steps
from crosscale.cli.demo import demo
from crosscale.evaluation.baselines import RAW, ROCKET
from crosscale.training.callbacks import read_metrics


def test_a_small_demo_makes_what_it_tells_of(tmp_path, monkeypatch, capsys):
    small = {"encoder.width": 8, "source.epoch_clips": 64, "training.batch_size": 32}
    monkeypatch.setattr(demo_steps, "RECIPE", small | {"output.dim": 8, "output.batches": 2})
    report = demo(out=tmp_path / "demo", actors=4, epochs=2)
    told = " ".join(capsys.readouterr().out.split())
    few, nearest = (100 * one.headline_top1["test"] for one in report.evaluations)
    assert f"`body` names {few:.1f} % of the clips right" in told
    assert few > 60
    assert nearest > 60
    for number in range(1, 5):
        assert re.search(rf"\[{number}/4\] .* \(about ", told)
        assert f"[{number}/4] done in" in told
    beaten = " ".join(report.baselines)
    assert all(name in beaten for name in (RAW, ROCKET, "untrained", "the small one after"))
    assert len(read_metrics(tmp_path / "demo" / "run")) == 2
    assert "named actions" in (tmp_path / "demo" / "report.html").read_text()


@pytest.mark.slow
def test_the_shipped_encoder_leads_and_training_pays(tmp_path):
    report = demo(out=tmp_path / "demo", epochs=2)
    few = "3 labels a class"
    measured = {
        name.removesuffix(f", {few}"): own["test"]
        for name, own in report.baselines.items()
        if name.endswith(few)
    }
    body = report.evaluations[0].headline_top1["test"]
    assert body > measured[ROCKET] > measured[RAW]
    assert measured[RAW] < 0.9  # or nothing could be told
    (trained,) = (value for name, value in measured.items() if "after" in name)
    assert trained > measured["the small one, untrained"] + 0.05
    losses = [row["loss"] for row in read_metrics(tmp_path / "demo" / "run")]
    assert losses[1] < losses[0] - 0.5
