"""Encoders of one data set, judged on another; and that judging leaves frozen encoders alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from crosscale.cli import main
from crosscale.data.splits import split
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.extract import Extraction, extract
from crosscale.evaluation.features import Features
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.evaluation.semi import FewLabels
from crosscale.models.checkpoint import load_encoders

pytestmark = pytest.mark.usefixtures("plain_figures")

QUICK = {
    "linear": ["--epochs=2", "--baselines"],
    "ridge": ["--baselines"],
    "knn": ["--baselines"],
    "retrieval": [],
    "semi": ["--epochs=2", "--draws=2", "--shares=[0.5]"],
    "finetune": ["--epochs=1"],
}


@pytest.mark.parametrize("kind", QUICK)
def test_every_evaluation_judges_on_another_data_set_and_says_on_which(kind, run, utdmhad, capsys):
    before = (run / "encoder.safetensors").read_bytes()
    assert main(["evaluate", kind, str(run), "--data", str(utdmhad.path), *QUICK[kind]]) == 0
    assert (run / "encoder.safetensors").read_bytes() == before
    told = " ".join(capsys.readouterr().out.split())
    assert "transfer, pre-trained on nwucla, judged on utdmhad" in told
    folder = run / f"{kind}-utdmhad"
    results = json.loads((folder / "results.json").read_text())
    assert results["title"] == "utdmhad, odd_even, pre-trained on nwucla: joint, joint@part10"
    assert results["about"]["judged on"].startswith(f"utdmhad ({utdmhad.path}), 48 clips")
    assert results["about"][str(run)].startswith("joint, joint@part10; pre-trained on nwucla")
    (found,) = results["evaluations"]
    assert found["classes"] == list(utdmhad.classes)
    assert found["protocol"] == "odd_even"
    clips = 3 if kind == "semi" else 6
    assert found["train"]["per_class"] == dict.fromkeys(utdmhad.classes, clips)
    assert found["tests"]["official"]["per_class"] == dict.fromkeys(utdmhad.classes, 6)
    page = (folder / "report.html").read_text()
    assert results["title"] in page
    assert f"{clips} / 6</span>" in page
    assert not (run / kind).exists()


def test_features_are_kept_for_each_store(run, nwucla, utdmhad):
    for data in ([], ["--data", str(utdmhad.path)], []):
        assert main(["evaluate", "knn", str(run), *data]) == 0
    kept = {path.name.split("-")[1]: path for path in run.glob("features-*.npz")}
    assert kept.keys() == {"nwucla", "utdmhad"}
    for store in (nwucla, utdmhad):
        found = Features.load(kept[store.name])
        fresh = extract(load_encoders(run), store)
        assert found.names == tuple(store.names)
        np.testing.assert_allclose(found.vectors["joint"], fresh.vectors["joint"], atol=1e-5)


def test_the_encoder_inside_the_package_is_judged_by_its_name(utdmhad, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["evaluate", "knn", "parts", "--data", str(utdmhad.path)]
    assert main(words) != 0
    assert (
        "name a store with --data and a folder for the results with --out"
        in capsys.readouterr().err
    )
    assert main([*words, "--out", str(out)]) == 0
    assert {path.suffix for path in out.iterdir()} == {".json", ".html", ".npz"}


def test_each_readout_has_features_and_results_of_its_own(run):
    for more in ([], ["--pooling", "nodes"], ["--pooling", "nodes", "--layers=1", "--baselines"]):
        assert main(["evaluate", "knn", str(run), *more]) == 0
    assert main(["evaluate", "ridge", str(run), "--layers", "2"]) == 0
    widths = {Features.load(path).vectors["joint"].shape[1] for path in run.glob("features-*.npz")}
    width = load_encoders(run).encoders["joint"].dim
    assert widths == {width, 2 * width, 20 * width}
    assert (run / "ridge-2" / "results.json").exists()
    told = json.loads((run / "knn-nodes" / "results.json").read_text())
    assert told["about"]["read of each encoder"] == "the mean over time of each node"
    assert (run / "knn" / "results.json").exists()


def test_the_parts_that_were_read_reach_the_evaluation(run, nwucla):
    found = extract(load_encoders(run), nwucla, Extraction("nodes", "all"))
    assert {stream: len(parts) for stream, parts in found.parts.items()} == {
        "joint": 10,
        "joint@part10": 10,
    }
    parts = split(nwucla, "xview")
    together = evaluate_features("ridge", replace(found, parts={}), parts)
    apart = evaluate_features("ridge", found, parts)
    assert not np.allclose(apart.scores["joint"], together.scores["joint"], atol=1e-3)


def test_with_mirror_a_clip_and_its_mirror_image_have_the_same_features(run, write_store, nwucla):
    def exchanged(clip):
        clip.coordinates[:] = clip.coordinates[:, :, nwucla.layout.other_side]
        clip.coordinates[..., 0] *= -1
        return clip

    encoders, image = load_encoders(run), write_store("nwucla", exchanged)
    plain, plain_image, both, both_image = (
        extract(encoders, store, Extraction("nodes", 3, mirror)).vectors
        for mirror in (False, True)
        for store in (nwucla, image)
    )
    for stream, own in plain.items():
        mean = (own + plain_image[stream]) / 2
        assert not np.allclose(own, mean, atol=1e-3)
        np.testing.assert_allclose(both[stream], mean, atol=1e-5)
        np.testing.assert_allclose(both_image[stream], mean, atol=1e-5)


def test_with_mirror_features_and_results_are_kept_apart(run):
    for more in ([], ["--mirror"], ["--mirror", "--pooling", "nodes"]):
        assert main(["evaluate", "ridge", str(run), *more]) == 0
    assert len(list(run.glob("features-*.npz"))) == 3
    assert (run / "ridge" / "results.json").exists()
    assert (run / "ridge-nodes-mirror" / "results.json").exists()
    told = json.loads((run / "ridge-mirror" / "results.json").read_text())
    expected = "features as trained, averaged with those of the mirror image"
    assert told["about"]["read of each encoder"] == expected


def test_a_changed_store_of_the_same_name_is_embedded_anew(run, nwucla, write_store):
    mirrored = write_store("nwucla", lambda clip: clip if clip.camera < 3 else _still(clip))
    for data in (nwucla, mirrored):
        assert main(["evaluate", "knn", str(run), "--data", str(data.path)]) == 0
    assert len(list(run.glob("features-nwucla-*.npz"))) == 2


def _still(clip):
    clip.coordinates[:] = clip.coordinates[:1]
    return clip


@pytest.mark.parametrize("kind", QUICK)
def test_a_store_of_another_layout_is_refused_by_name(kind, run, write_store, capsys):
    other = write_store("utdmhad", layout="ntu25")
    assert main(["evaluate", kind, str(run), "--data", str(other.path), *QUICK[kind]]) == 2
    error = capsys.readouterr().err
    assert f"{other.path}: the recordings have layout ntu25" in error
    assert "trained on kinect20" in error
    assert {path.name for path in run.iterdir()} == {"encoder.safetensors", "data.json"}


def test_a_protocol_may_be_named_and_must_exist(run, utdmhad, capsys):
    command = ["evaluate", "knn", str(run), "--data", str(utdmhad.path), "--protocol"]
    assert main([*command, "random_subjects:1"]) == 0
    assert main([*command, "xview"]) == 2
    assert "has no protocol 'xview'" in capsys.readouterr().err


def test_a_run_that_trained_on_all_clips_is_judged_by_the_stores_own_protocol(make_run):
    run = make_run(protocol="all")
    assert main(["evaluate", "knn", str(run)]) == 0
    (found,) = json.loads((run / "knn" / "results.json").read_text())["evaluations"]
    assert found["protocol"] == "xview"


def test_a_device_that_is_not_there_is_refused_in_a_line(run, capsys):
    assert main(["evaluate", "knn", str(run), "--device", "tpu"]) == 2
    assert "no device 'tpu'" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["nwucla", "utdmhad"])
def test_on_frozen_features_only_the_layer_is_trained(target, run, request):
    store = request.getfixturevalue(target)
    encoders, fresh = load_encoders(run), load_encoders(run)
    features = extract(encoders, store)
    before = features.fingerprint()
    parts = split(store, {"nwucla": "xview", "utdmhad": "odd_even"}[target])
    linear = evaluate_features(LinearProbe(epochs=20), features, parts)
    evaluate_features(FewLabels(epochs=20, draws=2, share=0.5), features, parts)
    for stream, encoder in encoders.encoders.items():
        for name, value in encoder.state_dict().items():
            assert torch.equal(value, fresh.encoders[stream].state_dict()[name]), name
        curve = linear.curves[stream]
        assert curve.train_loss[-1] < curve.train_loss[0]
    assert features.fingerprint() == before


def test_an_encoder_of_parts_judges_stores_of_any_sensor(run, write_store, tmp_path, capsys):
    kinds = {"utdmhad": "ntu25", "nwucla": "kinect20"}
    stores = {kind: write_store(kind, layout=layout) for kind, layout in kinds.items()}
    both = str(tmp_path / "both")
    assert main(["data", "merge", *(str(s.path) for s in stores.values()), "--out", both]) == 0
    parts = str(tmp_path / "parts")
    tiny = ["--training.epochs", "1", "--training.batch_size", "8", "--knn_every", "0"]
    assert main(["pretrain", "sensors/skeletonclr", "--data", both, "--out", parts, *tiny]) == 0
    for kind, store in stores.items():
        protocol = {"utdmhad": "odd_even", "nwucla": "xview"}[kind]
        judged = ["evaluate", "knn", parts, "--data", str(store.path), "--protocol", protocol]
        assert main(judged) == 0, capsys.readouterr().err
        results = json.loads((tmp_path / "parts" / f"knn-{kind}" / "results.json").read_text())
        layouts = f"layout {store.layout.name}, brought to part10"
        assert results["about"]["judged on"].endswith(layouts)
