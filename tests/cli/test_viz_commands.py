import json
from pathlib import Path

import numpy as np
import pytest
import torch

from crosscale.cli import main
from crosscale.data.clip import Clip
from crosscale.data.store import StoreWriter
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.models.checkpoint import save_encoders
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import Preprocess


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "store", "mine")


def written(path: Path, name: str) -> Path:
    layout, rng = Layout.load("kinect20"), np.random.default_rng(0)
    with StoreWriter(path, name=name, layout=layout) as writer:
        for i in range(6):
            x = rng.normal(size=(12, 1, 20, 3)).astype(np.float32)
            writer.add(Clip(f"clip_{i}", x, ("b",), f"class {i % 2}", subject=i))
    return path


@pytest.fixture
def run(store: Path) -> Path:
    layout, settings = Layout.load("kinect20"), EncoderSettings()
    torch.manual_seed(0)
    encoder = STGCN(Stream("joint").graph(layout), settings)
    folder = store.parent / "run"
    folder.mkdir()
    facts = {"classes": ["class 0", "class 1"], "protocol": "xview", "epoch": 1, "seed": 0}
    facts |= {"store": "mine", "data": store}
    save_encoders(folder, {"joint": encoder}, layout, Preprocess(), **facts)
    return folder


def test_view_writes_a_page_and_a_film_of_named_clips(store, capsys):
    words = ["view", str(store), "clip_1", "clip_4", "--out", "page.html", "--gif", "film.gif"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "2 skeletons in page.html" in told
    assert "film written to film.gif" in told
    assert Path("film.gif").read_bytes().startswith(b"GIF8")
    assert "clip_4" in Path("page.html").read_text()


def test_view_shows_views_of_the_first_clips_of_classes(store, capsys):
    assert main(["view", str(store), "--recipe", "nwucla/sgclr", "--seed", "3"]) == 0
    assert "6 skeletons in view.html" in capsys.readouterr().out
    assert Path("view.html").read_text().count('"note": "key view"') == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["clip_9"], "has no clip 'clip_9': did you mean"),
        (["--recipe", "nwucla/sgclt"], "no recipe 'nwucla/sgclt': did you mean 'nwucla/sgclr'?"),
        (["--gif", "film.png"], "film.png: end the name with .gif or .mp4"),
    ],
)
def test_view_says_in_one_line_what_is_wrong(store, capsys, words, said):
    assert main(["view", str(store), *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_map_marks_parts_of_a_protocol_and_tells_when_there_are_none(store, run, capsys):
    assert main(["map", str(run)]) == 0
    told = capsys.readouterr().out
    assert "clips are not marked as train and test: " in told
    assert f"6 clips, at most 48 frames of each, in {run / 'map.html'}" in told
    words = ["map", str(run), "--protocol", "random_subjects", "--clips", "5", "--out", "m.html"]
    assert main(words) == 0
    assert "5 clips, drawn at random from 6" in capsys.readouterr().out
    assert '"parts": ["t' in Path("m.html").read_text()
    assert main(["map", str(run), "--protocol", "xsub"]) == 2
    assert "has no protocol 'xsub'" in capsys.readouterr().err


def test_map_takes_the_encoder_that_comes_with_crosscale(store, capsys):
    assert main(["map", "parts", "--data", str(store)]) == 2
    assert "parts is no folder here: name a store with --data and a page" in capsys.readouterr().err
    assert main(["map", "parts", "--data", str(store), "--out", "parts.html"]) == 0
    assert '"name": "clip_3"' in Path("parts.html").read_text()
    assert not list(Path().glob("features-*"))


def test_map_marks_clips_of_another_store_by_its_own_protocol(run, tmp_path, capsys):
    other = written(tmp_path / "other", "utdmhad")
    assert main(["map", str(run), "--data", str(other), "--out", "other.html"]) == 0
    assert "not marked" not in capsys.readouterr().out
    parts = ["test", "train"] * 3  # odd subjects train
    assert f'"parts": {json.dumps(parts)}' in Path("other.html").read_text()
    arguments = ["map", "body", "--data", str(other), "--out", "body.html"]
    assert main(arguments) == 0  # though what it was trained by tests nothing
    assert f'"parts": {json.dumps(parts)}' in Path("body.html").read_text()


def test_layout_check_tells_what_a_layout_says_and_draws_it(store, capsys):
    assert main(["layout", "check", "kinect20", "--out", "a.png", "--store", str(store)]) == 0
    told = capsys.readouterr().out
    assert "layout kinect20 is well-formed" in told
    assert "shoulders: left_shoulder, right_shoulder" in told
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    Path("mine.yaml").write_text("name: mine\njoints: [a, b]\n")
    assert main(["layout", "check", "mine.yaml"]) == 2
    assert "mine.yaml lacks parents" in capsys.readouterr().err
