import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from crosscale.cli import main
from crosscale.data.splits import split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.finetune import Finetune, finetune, save_tuned, sources_told, tune
from crosscale.evaluation.probes import make_probe
from crosscale.evaluation.probes.linear import new_layer
from crosscale.evaluation.semi import draw
from crosscale.models.checkpoint import load_encoders, untrained
from crosscale.training.optim import learning_rate
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import load

pytestmark = pytest.mark.usefixtures("plain_figures")

QUICK = Finetune(epochs=2, warmup=0, batch_size=8)


def tuned(run, store, config=QUICK, seed=0):
    return finetune({"a": load_encoders(run)}, store, split(store, "xview"), config, seed=seed)


def states(found):
    """All weights and statistics of all streams by name."""
    return {
        f"{stream}/{name}": value
        for stream, model in found.models["a"].items()
        for name, value in model.state_dict().items()
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_every_weight_of_every_encoder_is_trained_and_the_runs_own_do_not_move(run, nwucla):
    trained, before = load_encoders(run), load_encoders(run)
    # Without weight decay, what moves was moved by the labels.
    config = replace(QUICK, weight_decay=0.0)
    found = finetune({"a": trained}, nwucla, split(nwucla, "xview"), config)
    for stream, encoder in trained.encoders.items():
        start = before.encoders[stream].state_dict()
        assert same(encoder.state_dict(), start)
        model = found.models["a"][stream]
        for name, weight in model.encoder.named_parameters():
            # The mean that the next normalisation takes away has these biases in it.
            if not name.endswith(("temporal.bias", "around.0.bias")):
                assert not torch.equal(weight, start[name]), f"{stream} {name}"
        for name, value in model.encoder.named_buffers():
            if name.endswith("running_mean"):
                assert not torch.equal(value, start[name]), f"{stream} {name}"
        begun = new_layer(8, 3, torch.Generator().manual_seed(0))
        assert (model.head.weight != begun.weight).all()
        assert (model.head.bias != 0).all()


def test_a_step_goes_down_the_gradient_of_encoder_and_layer(run, nwucla):
    trained = load_encoders(run)
    encoder = trained.encoders["joint"]
    for block in encoder.blocks:
        block.dropout.p = 0.0
    rows = split(nwucla, "xview").train.tolist()
    clips, labels = load(nwucla, rows, trained.preprocess), torch.from_numpy(nwucla.labels[rows])
    transform = StreamTransform(Stream("joint"), trained.layout)
    config = Finetune(epochs=1, warmup=0, learning_rate=0.3, weight_decay=0.01)
    model, _ = tune(encoder, transform, clips, labels, 3, config, seed=5)

    start = torch.normal(0.0, 0.01, (3, 8), generator=torch.Generator().manual_seed(5))
    start.requires_grad_()
    features = encoder.train()(clips.coordinates, clips.body_mask)
    functional.cross_entropy(features @ start.T, labels).backward()
    expected = {"head.weight": start, **{f"encoder.{n}": p for n, p in encoder.named_parameters()}}
    moved = dict(model.named_parameters())
    assert moved.keys() == expected.keys() | {"head.bias"}
    for name, weight in expected.items():
        step = weight.detach() - 0.3 * (weight.grad + 0.01 * weight.detach())
        torch.testing.assert_close(moved[name].detach(), step, atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_encoders_and_figures_and_another_seed_others(run, nwucla):
    one = tuned(run, nwucla)
    torch.manual_seed(99)  # dropout draws from the global generator
    two, other = tuned(run, nwucla), tuned(run, nwucla, seed=1)
    assert one.evaluation == two.evaluation
    assert same(states(one), states(two))
    assert not same(states(one), states(other))


def test_a_share_of_the_labels_trains_on_just_the_clips_that_were_drawn(run, nwucla, write_store):
    parts = split(nwucla, "xview")
    (rows,) = draw(parts.train, nwucla.labels, 0.5, 1, seed=0)
    drawn = {nwucla.names[i] for i in rows}

    def spoil(clip):
        """Other coordinates and another label for every clip that was not drawn."""
        if clip.name in drawn:
            return clip
        noise = np.random.default_rng(0).normal(size=clip.coordinates.shape)
        label = clip.label if clip.camera < 3 else "carry"
        return replace(clip, coordinates=noise.astype(np.float32), label=label)

    spoiled = write_store("nwucla", spoil)
    config = replace(QUICK, share=0.5)
    found, other = tuned(run, nwucla, config), tuned(run, spoiled, config)
    assert same(states(found), states(other))
    assert found.evaluation.train.per_class == {"carry": 4, "throw": 4, "sit down": 4}
    assert found.evaluation.notes == (
        "50 % of the labels are 12 training clips: carry 4, throw 4, sit down 4.",
    )
    assert not same(states(found), states(tuned(run, nwucla)))


def test_test_clips_never_train(run, nwucla, write_store):
    def spoil(clip):
        if clip.camera < 3:
            return clip
        return replace(clip, coordinates=clip.coordinates[::-1] + 1, label="throw")

    spoiled = write_store("nwucla", spoil)
    found, other = tuned(run, nwucla), tuned(run, spoiled)
    assert same(states(found), states(other))
    assert other.evaluation.tests["official"].per_class["throw"] == 12
    names = {nwucla.names[i] for i in split(nwucla, "xview").tests["official"]}
    assert set(found.evaluation.judged) == names


def test_bodies_that_are_not_there_do_not_count(make_run, write_store):
    def alone(clip):
        return replace(clip, coordinates=clip.coordinates[:, :1], bodies=clip.bodies[:1])

    store = write_store("nwucla", alone)
    one, padded = (tuned(make_run(f"run{b}", bodies=b), store) for b in (1, 3))
    for name, value in states(one).items():
        torch.testing.assert_close(states(padded)[name], value, atol=1e-5, rtol=1e-4)


def test_it_learns_each_stream_and_adds_their_scores(run, nwucla):
    found = tuned(run, nwucla, replace(QUICK, epochs=12)).evaluation
    assert list(found.metrics["official"]) == ["joint", "joint@part10", "sum"]
    for stream in ("joint", "joint@part10"):
        curve = found.curves[stream]
        assert len(curve.train_loss) == 12
        assert curve.train_loss[-1] < 0.8 * curve.train_loss[0]
        values = found.scores[stream]
        np.testing.assert_allclose(np.exp(values).sum(axis=1), 1, rtol=1e-5)
    added = sum(found.scores[s] for s in ("joint", "joint@part10"))
    np.testing.assert_allclose(found.scores["sum"], added, rtol=1e-6)
    assert found.metrics["official"]["sum"].top1 > 0.5


def test_the_rate_rises_and_then_falls_to_nothing(run, nwucla, monkeypatch):
    rates = []

    def followed(*arguments):
        rates.append(learning_rate(*arguments))
        return rates[-1]

    monkeypatch.setattr("crosscale.evaluation.finetune.learning_rate", followed)
    tuned(run, nwucla, Finetune(epochs=10, learning_rate=0.2, warmup=2, batch_size=24))
    first = rates[:10]  # an epoch is one step
    assert first[0] < first[1] < first[2] == pytest.approx(0.2)
    assert all(a > b > 0 for a, b in pairwise(first[2:]))
    assert first[-1] < 0.02


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"warmup": -1},
        {"learning_rate": 0.0},
        {"share": 0.0},
        {"share": 1.5},
    ],
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(CrosscaleError):
        make_probe("finetune", wrong)


def test_divergence_is_an_error_with_a_remedy(run, nwucla):
    with pytest.raises(CrosscaleError, match=r"diverged in epoch \d+; lower its learning_rate"):
        tuned(run, nwucla, replace(QUICK, epochs=9, learning_rate=1e30))


def test_kept_encoders_are_those_that_were_judged(run, nwucla, tmp_path):
    trained = {"a": load_encoders(run)}
    found = finetune(trained, nwucla, split(nwucla, "xview"), QUICK)
    (folder,) = save_tuned(tmp_path / "kept", found, trained, nwucla, "xview")
    again = load_encoders(folder)
    assert again.classes == nwucla.classes
    for stream, model in found.models["a"].items():
        assert same(again.encoders[stream].state_dict(), model.encoder.state_dict())
    assert {path.name for path in folder.iterdir()} == {"encoder.safetensors", "data.json"}


COMMAND = ["--epochs=2", "--warmup=0"]


def test_the_command_writes_figures_and_encoders_and_leaves_the_run_as_it_was(run, capsys):
    before = (run / "encoder.safetensors").read_bytes()
    assert main(["evaluate", "finetune", str(run), "--baselines", *COMMAND]) == 0
    assert (run / "encoder.safetensors").read_bytes() == before
    told = " ".join(capsys.readouterr().out.split())
    assert "trained from scratch" in told
    assert "carry 8, throw 8, sit down 8" in told
    results = json.loads((run / "finetune" / "results.json").read_text())
    assert set(results["baselines"]) == {"chance", "trained from scratch"}
    (found,) = results["evaluations"]
    assert found["train"]["per_class"] == {"carry": 8, "throw": 8, "sit down": 8}
    assert found["config"]["share"] == 1.0
    page = (run / "finetune" / "report.html").read_text()
    assert "Fine-tuning with 100 % of the labels, protocol xview" in page
    assert "Encoder and linear layer, trained together with labels." in page
    assert "frozen" not in page


def test_the_floor_is_the_same_training_of_untrained_weights(run, nwucla):
    assert main(["evaluate", "finetune", str(run), "--baselines", "--seed=3", *COMMAND]) == 0
    results = json.loads((run / "finetune" / "results.json").read_text())
    config = Finetune(epochs=2, warmup=0)
    blank = untrained(load_encoders(run), 3)
    found = finetune({"a": blank}, nwucla, split(nwucla, "xview"), config, seed=3).evaluation
    assert results["baselines"]["trained from scratch"] == found.headline_top1
    assert results["evaluations"][0]["curves"] != json.loads(json.dumps(found.to_dict()))["curves"]


def test_fine_tuned_encoders_are_judged_like_a_run_and_said_to_have_seen_labels(run):
    half = [*COMMAND, "--share=0.5"]
    assert main(["evaluate", "finetune", str(run), *half, "--out", str(run / "half")]) == 0
    assert main(["evaluate", "knn", str(run / "half")]) == 0
    about = json.loads((run / "half" / "knn" / "results.json").read_text())["about"]
    assert about[str(run / "half")] == (
        "joint, joint@part10; pre-trained on nwucla without labels, epoch 3, seed 0; "
        "fine-tuned with 50 % of the labels of nwucla, xview, seed 0"
    )


def test_several_runs_are_kept_in_folders_of_their_own(make_run, tmp_path):
    runs = [make_run("one", ["joint"]), make_run("two", ["joint"], seed=1)]
    out = tmp_path / "both"
    command = ["evaluate", "finetune", *map(str, runs), "--out", str(out), *COMMAND]
    assert main(command) == 0
    (found,) = json.loads((out / "results.json").read_text())["evaluations"]
    assert list(found["metrics"]["official"]) == [f"{run}/joint" for run in runs] + ["sum"]
    one, two = (load_encoders(out / number).encoders["joint"] for number in ("1", "2"))
    assert not torch.equal(one.blocks[0].spatial.weight, two.blocks[0].spatial.weight)


def test_fine_tuned_encoders_never_take_the_place_of_a_runs_own(run, make_run, capsys):
    other = make_run("other")
    (other / "recipe.yaml").write_text("seed: 0\n")
    for out in (run, other):
        before = (out / "encoder.safetensors").read_bytes()
        assert main(["evaluate", "finetune", str(run), "--out", str(out), *COMMAND]) == 2
        assert "whose encoders would be replaced" in capsys.readouterr().err
        assert (out / "encoder.safetensors").read_bytes() == before
        assert not (out / "results.json").exists()


def test_of_what_encoders_learned_from_each_is_told_once_and_in_words():
    assert sources_told("own + own + motion programs") == "own recordings + motion programs"
    assert sources_told("nwucla") == "nwucla"
