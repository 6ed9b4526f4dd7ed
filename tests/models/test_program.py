import json
import sys

import numpy as np
import pytest
import torch

from crosscale.cli import main
from crosscale.errors import CrosscaleError
from crosscale.models import export as program
from crosscale.models.checkpoint import load_encoders
from crosscale.models.export import TOLERANCE, ClipNetwork, export_onnx, export_torch
from crosscale.models.features import embed_stream
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import PUBLISHED, Preprocess, preprocess

onnxruntime = pytest.importorskip("onnxruntime", reason="needs crosscale[onnxruntime]")
pytest.importorskip("onnxscript", reason="needs crosscale[onnxruntime]")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def _recordings(count, frames, seed=1):
    random = np.random.default_rng(seed)
    clips = random.normal(size=(count, 1, 2, 20, 3)) + random.normal(
        scale=0.1, size=(count, frames, 2, 20, 3)
    ).cumsum(axis=1)
    clips[::2, :, 1] = np.nan
    clips[0, : frames // 3] = np.nan
    return clips.astype(np.float32)


def _right(trained, recordings):
    clips = preprocess(list(recordings), trained.layout, trained.preprocess)
    return clips, {
        name: embed_stream(encoder, StreamTransform(Stream.parse(name), trained.layout), clips)
        for name, encoder in trained.encoders.items()
    }


def _near(found, right):
    assert found.keys() == right.keys()
    for name, values in right.items():
        torch.testing.assert_close(
            torch.as_tensor(found[name]), values, atol=1e-5 * values.abs().max().item(), rtol=0
        )


@pytest.mark.parametrize("bodies", ["present", "all"])
@pytest.mark.parametrize("norm", ["joint", "axis"])
def test_the_network_equals_the_encoders(make_run, bodies, norm):
    trained = load_encoders(make_run(bodies=bodies, input_norm=norm))
    clips, right = _right(trained, _recordings(4, 30))
    with torch.inference_mode():
        _near(ClipNetwork(trained)(clips.coordinates, clips.body_mask), right)


def test_what_stands_where_nobody_is_does_not_matter(trained):
    clips, right = _right(trained, _recordings(4, 30))
    noise = torch.where(clips.body_mask[:, None, None, None], clips.coordinates, torch.nan)
    with torch.inference_mode():
        _near(ClipNetwork(trained)(noise, clips.body_mask), right)


@pytest.mark.slow
def test_the_command_writes_one_file_that_explains_itself(run, trained, tmp_path, capsys):
    assert main(["export", "onnx", str(run), "--out", str(tmp_path / "made")]) == 0
    told = capsys.readouterr().out
    assert "bone@part10: largest difference to the encoder" in told
    path = tmp_path / "made" / "encoder.onnx"
    assert sorted(p.name for p in path.parent.iterdir()) == ["encoder.onnx", "encoder.onnx.json"]
    facts = json.loads(path.with_name("encoder.onnx.json").read_text())
    session = onnxruntime.InferenceSession(path)
    shapes = {given.name: given.shape for given in session.get_inputs()}
    assert shapes == {name: given["shape"] for name, given in facts["inputs"].items()}
    assert list(facts["outputs"]) == list(trained.encoders)
    assert all(0 <= d < TOLERANCE for d in facts["checked"].pop("largest_differences").values())
    inside = json.loads(session.get_modelmeta().custom_metadata_map["crosscale"])
    del facts["checked"]
    assert inside == facts
    for frames in (5, 40):
        settings = Preprocess(frames=frames)
        clips = preprocess(list(_recordings(3, 30)), trained.layout, settings)
        given = {"coordinates": clips.coordinates.numpy(), "body_mask": clips.body_mask.numpy()}
        with torch.inference_mode():
            right = ClipNetwork(trained)(clips.coordinates, clips.body_mask)
        _near(dict(zip(facts["outputs"], session.run(None, given), strict=True)), right)


@pytest.mark.slow
def test_a_torch_program_loads_without_the_package_and_agrees(run, trained, tmp_path):
    out = tmp_path / "made.pt2"
    assert main(["export", "torch", str(run), "--out", str(out)]) == 0
    loaded = torch.export.load(out).module()
    for count, frames in ((1, 12), (4, 50)):
        clips, right = _right(trained, _recordings(count, frames))
        with torch.inference_mode():
            _near(loaded(clips.coordinates, clips.body_mask), right)


@pytest.mark.slow
def test_the_published_conventions_are_exported_too(make_run, tmp_path):
    published = load_encoders(make_run(("joint",), PUBLISHED, hops="capped", bodies="all"))
    assert export_torch(published, tmp_path / "a.pt2").differences["joint"] < TOLERANCE


def test_the_preparation_inside_is_gone_and_the_way_on_is_told(run, tmp_path, capsys):
    for option in ("--with_preprocess", "--with-preprocess"):
        assert main(["export", "onnx", str(run), "--out", str(tmp_path / "a.onnx"), option]) == 2
        assert "programs take prepared clips" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [1.001, float("nan")])
def test_a_program_that_differs_is_refused_and_not_kept(trained, tmp_path, monkeypatch, wrong):
    whole = program._torch_run

    def damaged(path, plan):
        load = whole(path, plan)
        return lambda clips: load(clips) | {"motion": wrong * load(clips)["motion"]}

    monkeypatch.setattr(program, "_torch_run", damaged)
    with pytest.raises(CrosscaleError, match="stream motion differs from the encoder by"):
        export_torch(trained, tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_named(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(CrosscaleError, match=r"pip install 'crosscale\[onnxruntime\]'"):
        export_onnx(trained, tmp_path / "a.onnx")


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_wrong_paths_are_told(kind, run, tmp_path, capsys):
    target = str(tmp_path / "out.txt")
    assert main(["export", kind, str(run), "--out", target]) == 2
    assert "name a file that ends in ." in capsys.readouterr().err
    for wrong, told in ((tmp_path, "no trained encoder at"), (tmp_path / "absent", "no run at")):
        assert main(["export", kind, str(wrong), "--out", str(tmp_path / "made")]) == 2
        assert told in capsys.readouterr().err
    short = tmp_path / "encoder.safetensors"
    short.write_bytes((run / "encoder.safetensors").read_bytes()[:5000])
    assert main(["export", kind, str(short), "--out", str(tmp_path / "made")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
