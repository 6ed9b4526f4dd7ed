"""The examples of an objective, an encoder and an augmentation outside the package, as a third
party uses them: files of the current folder, named on the command line."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import crosscale
from crosscale.cli import main
from crosscale.encoders import described
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import load_encoders
from crosscale.utils.plugins import load_object

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = ("own_objective.py", "own_encoder.py", "own_augmentation.py")
OPTIONS = """
    --objective own_objective.py:Bootstrap --objective.momentum 0.9
    --encoder own_encoder.py:TimeNet --encoder.width 16
    --augment.further [own_augmentation.py:Freeze=0.3]
    --schedule step --training.batch_size 4 --preprocess.frames 16 --device cpu
"""


def pretrain(out: str, *further: str) -> int:
    called = ["pretrain", "synthetic/skeletonclr", "--data", "store", "--out", out]
    return main([*called, *OPTIONS.split(), *further])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder, with the files, a store, and a run of two epochs."""
    folder = tmp_path_factory.mktemp("third party")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [path for path in sys.path if path != str(EXAMPLES)])
        for name in FILES:  # of whichever folder another test took them
            sys.modules.pop(name.removesuffix(".py"), None)
            shutil.copy(EXAMPLES / name, folder)
        made = "synth raw --classes 2 --subjects 3 --cameras 1 --repetitions 2 --frames [20,24]"
        assert main(made.split()) == 0
        assert main(["prepare", "ntu60", "raw", "--out", "store"]) == 0
        assert pretrain("run", "--training.epochs", "2") == 0
        yield folder
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_the_run_is_one_of_what_was_named(folder):
    recipe = yaml.safe_load((folder / "run" / "recipe.yaml").read_text())
    assert recipe["objective"]["name"] == "own_objective.py:Bootstrap"
    assert recipe["objective"]["momentum"] == 0.9
    (encoder,) = load_encoders("run").encoders.values()
    assert (type(encoder).__name__, encoder.dim) == ("TimeNet", 16)
    rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").open()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(row["joint/embedding_std"] > 0 for row in rows)


def test_a_run_in_two_parts_equals_one_in_one(folder):
    assert pretrain("parts", "--training.epochs", "1") == 0
    otherwise = ["--objective", "own_objective:Bootstrap", "--encoder", "./own_encoder.py:TimeNet"]
    assert pretrain("parts", "--training.epochs", "2", "--resume", *otherwise) == 0
    (whole,), (parts,) = (load_encoders(run).encoders.values() for run in ("run", "parts"))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


PACKAGE = """
[crosscale.objectives]
bootstrap = own_objective:Bootstrap
[crosscale.encoders]
timenet = own_encoder:TimeNet
[crosscale.augmentations]
freeze = own_augmentation:Freeze
"""


def test_a_package_gives_them_names(folder, monkeypatch):
    package = folder / "installed" / "mine-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(PACKAGE)
    monkeypatch.syspath_prepend(folder / "installed")
    named = ["--objective", "bootstrap", "--encoder", "timenet", "--encoder.width", "16"]
    assert (
        pretrain("named", *named, "--augment.further", "[freeze=0.3]", "--training.epochs=1") == 0
    )
    (encoder,) = load_encoders("named").encoders.values()
    assert described(encoder)["name"] == "timenet"
    assert {"bootstrap", "vicreg"} <= set(crosscale.list_objectives())


def test_it_embeds_and_is_judged(folder):
    assert main(["embed", "run", "store", "--out", "vectors.npz"]) == 0
    vectors = np.load("vectors.npz")["embeddings"]
    assert vectors.shape == (12, 16)
    np.testing.assert_allclose(vectors, crosscale.load_model("run").embed("store"), atol=1e-6)
    assert main(["evaluate", "knn", "run"]) == 0
    assert (folder / "run" / "knn" / "results.json").is_file()


@pytest.mark.slow
def test_it_is_exported(folder):
    pytest.importorskip("onnxruntime")
    assert main(["export", "onnx", "run", "--out", "run.onnx"]) == 0
    checked = json.loads((folder / "run.onnx.json").read_text())["checked"]
    assert checked["largest_differences"]["joint"] < 1e-4


def test_without_its_code_a_run_says_where_it_is_looked_for(folder, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "own_encoder")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(folder)])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CrosscaleError, match=r"own_encoder.*PYTHONPATH"):
        crosscale.load_model(folder / "run")
    monkeypatch.syspath_prepend(folder)
    assert crosscale.load_model(folder / "run").dim == 16


def test_clips_stand_still_for_a_stretch(folder):
    freeze = load_object("own_augmentation:Freeze")(0.5)
    clips = torch.arange(40.0).reshape(1, 1, 40, 1, 1).expand(64, 3, 40, 2, 1)
    freeze.seed(3)
    changed = freeze(clips)
    frames = changed[:, 0, :, 0, 0]
    assert torch.equal(changed, frames[:, None, :, None, None].expand_as(changed))
    steps = frames.diff(dim=1)
    held = (steps == 0).sum(dim=1)
    assert held.max() <= 20
    assert held.float().mean() > 5
    assert steps.max() <= 21
    freeze.seed(3)
    assert torch.equal(freeze(clips), changed)
    with pytest.raises(CrosscaleError, match="share"):
        load_object("own_augmentation:Freeze")(1.5)
