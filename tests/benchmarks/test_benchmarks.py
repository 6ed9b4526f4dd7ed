"""The benchmark's figures: what is counted, compared and refused."""

import dataclasses
import json
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from benchmarks import naive, timing, works
from benchmarks.__main__ import main
from benchmarks.growth import GROWN, growth
from benchmarks.measures import MEASURES
from benchmarks.operations import forward_operations
from benchmarks.table import Bench, slower_than
from benchmarks.works import Row, Size
from crosscale.encoders import engines
from crosscale.encoders.engines import build
from crosscale.encoders.readout import Readout
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.datasets.ntu import Ntu60
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import SyntheticSettings, write_synthetic
from crosscale.transforms.preprocess import Preprocess, preprocess

TINY = Size(2, 8, 2, 2, 4, 40, 10, 1, 1)
ROW = Row("reading", 100.0, "MB/s", "word by word", 6.0)


def test_the_published_network_has_the_published_operations():
    settings = EncoderSettings()
    two_bodies = 2 * forward_operations(settings, 25, 50)
    assert two_bodies == pytest.approx(1.2e9, rel=0.05)
    part = 2 * forward_operations(settings, 10, 50)
    assert 128 * 4 * (two_bodies + part) == pytest.approx(880e9, rel=0.05)


@pytest.fixture
def small(monkeypatch):
    """A small network on the engine that is built at once, and no measurement of the machine."""
    monkeypatch.setattr(works, "EncoderSettings", partial(EncoderSettings, hidden=4, width=16))
    monkeypatch.setattr(works, "fastest", lambda *network: ("torch", build("torch", *network), {}))
    monkeypatch.setattr("benchmarks.__main__.matmul_rate", lambda device: 1e9)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("what", MEASURES)
def test_every_measurement_gives_a_ratio_to_the_plain_way(what):
    for row in MEASURES[what](TINY, torch.device("cpu"), 1e9):
        assert row.rate > 0
        assert row.ratio > 0


def test_the_plain_reader_reads_the_same(tmp_path):
    made = SyntheticSettings(classes=2, subjects=1, clips=1, frames=(8, 8))
    write_synthetic(tmp_path / "set", made, workers=1)
    (path,) = (tmp_path / "set").glob("*.skeleton")
    clip = Ntu60().read(Item(path.stem, path))
    assert (clip.coordinates[:, 0] == naive.read_skeleton(path)).all()


def test_the_plain_preprocessing_gives_the_same_lengths_and_places():
    clip = torch.randn(20, 1, 25, 3).numpy()
    layout = Layout.load("ntu25")
    ours = preprocess([clip], layout, Preprocess(bodies=1, root="frame", facing="none"))
    plain = naive.preprocess(clip, layout, 50)
    heights = ours.coordinates[0, 1], plain[1]  # a turn about the vertical leaves heights alone
    torch.testing.assert_close(*heights, atol=1e-5, rtol=0)


def test_a_ratio_that_fell_by_more_than_a_third_is_named(tmp_path):
    earlier = tmp_path / "bench.json"
    Bench("small", "cpu", 1, 1e9, [ROW]).write(earlier)
    alike = Bench("small", "cpu", 1, 1e9, [dataclasses.replace(ROW, ratio=4.1)])
    slower = Bench("small", "cpu", 1, 1e9, [dataclasses.replace(ROW, ratio=3.9)])
    assert slower_than(alike, earlier) == []
    assert slower_than(slower, earlier) == ["reading: 3.9 × word by word, before 6.0 ×"]


@pytest.mark.parametrize("content", ["", "[1]", '{"format": "other"}'])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(CrosscaleError, match=r"other\.json"):
        slower_than(Bench("small", "cpu", 1, 1e9, [ROW]), tmp_path / "other.json")


@pytest.mark.usefixtures("small")
def test_the_command_writes_figures_and_fails_below_the_floor(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(works.SIZES, "small", TINY)
    arguments = ["--what", "neighbours", "--size", "small"]
    assert main([*arguments, "--out", str(tmp_path / "now.json")]) == 0
    told = json.loads((tmp_path / "now.json").read_text())
    told["rows"][0]["ratio"] = 1e9
    (tmp_path / "floor.json").write_text(json.dumps(told))
    assert main([*arguments, "--floor", str(tmp_path / "floor.json")]) == 1
    assert "slower than" in capsys.readouterr().err


def test_growth_covers_a_decade_of_each_thing(monkeypatch):
    assert all(values[-1] == 10 * values[0] for values in GROWN.values())
    monkeypatch.setattr("benchmarks.growth.GROWN", {"frames": (2, 4)})
    points = list(growth(torch.device("cpu")))
    assert [(p.grown, p.value) for p in points] == [("frames", 2), ("frames", 4)]
    assert points[0].times == 1


def test_the_fastest_engine_is_measured_and_what_fails_is_told(monkeypatch):
    passed = 0.0  # seconds, which the engines say themselves: how busy the machine is tells nothing

    def taking(seconds):
        def make(fused, example, threads):
            def run(bodies):
                nonlocal passed
                passed += seconds
                return fused(bodies)

            return run

        return make

    def broken(fused, example, threads):
        raise RuntimeError("no compiler\nand much more")

    built = {"torch": taking(0.5), "openvino": taking(0.25), "compiled": broken}
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: passed))
    monkeypatch.setattr(engines, "BUILDERS", built)
    monkeypatch.setattr(timing, "available", lambda device: tuple(built))
    torch.manual_seed(0)
    encoder = STGCN(Layout.load("ntu25").scale("joints"), EncoderSettings(hidden=4, width=16))
    bodies = torch.randn(4, 3, 12, 25)
    name, engine, told = timing.fastest(Readout(encoder.eval()), bodies)
    assert name == "openvino"
    assert engine(bodies[:3]).shape == (3, 16)
    assert told["compiled"] == "left out: no compiler"
    assert told["torch"] == "8 bodies/s"
    assert "openvino-int8" not in told
