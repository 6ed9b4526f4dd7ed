import dataclasses
import os
import resource
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from lightning_fabric import Fabric
from safetensors.torch import load_file

from crosscale.augment.compose import ViewSettings
from crosscale.augment.edge_cut import Cut
from crosscale.encoders.stgcn import EncoderSettings
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.checkpoint import ENCODER_FILE, load_encoders
from crosscale.objectives.moco import ContrastSettings
from crosscale.skeleton.layout import Layout
from crosscale.training.callbacks import METRICS, read_metrics
from crosscale.training.loop import (
    BAD_BATCH,
    RECIPE_FILE,
    TrainingData,
    learning_rate,
    pretrain,
    steps_per_epoch,
)
from crosscale.training.recipe import Optimisation, Recipe
from crosscale.training.state import LAST
from crosscale.transforms.preprocess import ClipTensors, Preprocess
from crosscale.utils.files import only_writer
from crosscale.utils.tensors import read_safetensors

LAYOUT = Layout.load("kinect20")
NAMES = [f"clip {i}" for i in range(99)]
TINY = Recipe(
    knn_every=0,
    save_every=1,
    preprocess=Preprocess(frames=12, bodies=1),
    views=ViewSettings(cut=Cut(most=2)),
    encoder=EncoderSettings(hidden=2, width=8),
    contrast=ContrastSettings(
        streams=["joint", "joint@part10"], features=4, queue=16, cross_from=0.5
    ),
    optimisation=Optimisation(epochs=4, batch=8, learning_rate=0.05, schedule="cosine"),
)


def _data(count=19, device="cpu"):
    generator = torch.Generator().manual_seed(1)
    clips = ClipTensors(
        torch.randn(count, 3, 12, 20, 1, generator=generator).to(device),
        torch.ones(count, 1, dtype=torch.bool),
    )
    store = SimpleNamespace(layout=LAYOUT, classes=("a", "b"), name="made", path=Path("made"))
    labels = torch.arange(count, device=device) % 2
    return TrainingData(store, clips, labels, NAMES[:count], None)


def _train(folder, recipe=TINY, *, device="cpu", **options):
    fabric = Fabric(accelerator=device, devices=1)
    return pretrain(recipe, _data(device=device), folder, fabric, **options)


def _changed(**changes):
    return dataclasses.replace(TINY, optimisation=dataclasses.replace(TINY.optimisation, **changes))


def _state(folder):
    return load_file(folder / LAST)


def _equal(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "undisturbed"
    _train(folder)
    return folder


def test_the_same_seed_gives_the_same_run(undisturbed, tmp_path):
    _train(tmp_path / "again")
    assert _equal(_state(undisturbed), _state(tmp_path / "again"))


def test_another_seed_gives_another_run(undisturbed, tmp_path):
    _train(tmp_path / "other", dataclasses.replace(TINY, seed=1))
    assert not _equal(_state(undisturbed), _state(tmp_path / "other"))


def _train_and_stop(folder, epoch, **options):
    """A run that is told to stop after an epoch."""

    def stop(done):
        if done.epoch == epoch:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        _train(folder, report=stop, **options)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_run_stopped_and_resumed_equals_the_undisturbed_one(undisturbed, tmp_path, epoch):
    folder = tmp_path / "stopped"
    _train_and_stop(folder, epoch)
    assert not (folder / ENCODER_FILE).exists()
    _train(folder, resume=True)
    assert _equal(_state(undisturbed), _state(folder))
    assert (folder / METRICS).read_text() == (undisturbed / METRICS).read_text()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_too_the_same_seed_gives_the_same_run_stopped_or_not(tmp_path):
    for name in ("one", "other"):
        _train(tmp_path / name, device="cuda")
    _train_and_stop(tmp_path / "stopped", 2, device="cuda")
    _train(tmp_path / "stopped", device="cuda", resume=True)
    assert _equal(_state(tmp_path / "one"), _state(tmp_path / "other"))
    assert _equal(_state(tmp_path / "one"), _state(tmp_path / "stopped"))


@pytest.mark.parametrize("step", [1, 2, 3])
def test_so_does_one_stopped_within_an_epoch_or_at_its_last_step(undisturbed, tmp_path, step):
    folder, data, taken = tmp_path / "stopped", _data(), []

    class Stopping(ClipTensors):
        def take(self, clips):
            taken.append(clips)
            if len(taken) == 3 + step:  # three steps an epoch
                os.kill(os.getpid(), signal.SIGTERM)
            return super().take(clips)

    data = dataclasses.replace(data, clips=Stopping(data.clips.coordinates, data.clips.body_mask))
    with pytest.raises(KeyboardInterrupt):
        pretrain(TINY, data, folder, Fabric(accelerator="cpu", devices=1))
    _train(folder, resume=True)
    assert _equal(_state(undisturbed), _state(folder))
    assert (folder / METRICS).read_text() == (undisturbed / METRICS).read_text()


def test_a_run_killed_between_checkpoints_equals_the_undisturbed_one(undisturbed, tmp_path):
    folder = tmp_path / "killed"

    def kill(done):
        if done.epoch == 3:
            raise MemoryError

    sparse = dataclasses.replace(TINY, save_every=2)
    with pytest.raises(MemoryError):
        _train(folder, sparse, report=kill)
    _train(folder, sparse, resume=True)
    assert _equal(_state(undisturbed), _state(folder))
    assert [row["epoch"] for row in read_metrics(folder)] == [1, 2, 3, 4]


def test_resuming_with_other_settings_is_refused_by_name(undisturbed):
    with pytest.raises(CrosscaleError, match=r"optimisation\.batch was 8, now 9"):
        _train(undisturbed, _changed(batch=9), resume=True)


def test_a_finished_run_goes_on_to_more_epochs_as_if_asked_for_them_at_once(tmp_path):
    told = []
    plain = dataclasses.replace(TINY.contrast, cross_from=None)
    recipe = dataclasses.replace(_changed(epochs=2, schedule="step"), contrast=plain)
    _train(tmp_path / "run", recipe)
    longer = dataclasses.replace(_changed(epochs=4, schedule="step"), contrast=plain)
    _train(tmp_path / "run", longer, resume=True, say=told.append)
    _train(tmp_path / "straight", longer)
    assert _equal(_state(tmp_path / "run"), _state(tmp_path / "straight"))
    assert "the number of epochs was 2, now 4" in told[0]
    with pytest.raises(CrosscaleError, match="has trained 4 epochs already"):
        _train(
            tmp_path / "run",
            dataclasses.replace(longer, optimisation=recipe.optimisation),
            resume=True,
        )


def test_a_run_is_not_overwritten(undisturbed):
    with pytest.raises(CrosscaleError, match="holds a run already"):
        _train(undisturbed)


def test_a_damaged_checkpoint_is_refused(undisturbed, tmp_path):
    folder = tmp_path / "damaged"
    _train(folder)
    path = folder / LAST
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        _train(folder, resume=True)


def test_a_full_disk_is_told_by_name_and_leaves_the_last_checkpoint(tmp_path):
    folder = tmp_path / "run"
    _train(folder, _changed(epochs=1))
    before = (folder / LAST).read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # stands in for a full disk
    try:
        with pytest.raises(CrosscaleError, match=r"cannot write .*last\.safetensors: .*too large"):
            _train(folder, _changed(epochs=2), resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert (folder / LAST).read_bytes() == before
    assert [path.name for path in (folder / LAST).parent.iterdir()] == [LAST.name]


def test_the_encoders_come_back_with_all_they_need(undisturbed):
    encoders = load_encoders(undisturbed)
    assert list(encoders.encoders) == ["joint", "joint@part10"]
    assert encoders.preprocess == TINY.preprocess
    assert encoders.classes == ("a", "b")
    vectors = encoders.embed(_data().clips)
    assert {name: v.shape for name, v in vectors.items()} == {
        "joint": (19, 8),
        "joint@part10": (19, 8),
    }


def test_mixed_precision_trains_nearly_alike(undisturbed, tmp_path):
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    pretrain(TINY, _data(), tmp_path / "mixed", fabric)
    mixed, full = read_metrics(tmp_path / "mixed"), read_metrics(undisturbed)
    assert mixed[0]["loss"] == pytest.approx(full[0]["loss"], rel=0.02)
    assert all(
        value.dtype == torch.float32
        for value in _state(tmp_path / "mixed").values()
        if value.is_floating_point()
    )


def test_in_mixed_precision_the_contrast_is_computed_in_32_bits(tmp_path):
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    pretrain(TINY, _data(), tmp_path / "mixed", fabric)
    keys = _state(tmp_path / "mixed")["model/queue.keys"]
    # Eight bits would leave lengths wrong by a thousandth.
    assert torch.allclose(keys.norm(dim=2), torch.ones(keys.shape[:2]), atol=1e-6)


def test_a_run_from_before_a_setting_was_there_goes_on_with_its_default(undisturbed, tmp_path):
    folder = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    begun = yaml.safe_load((folder / RECIPE_FILE).read_text())
    del begun["precision"]
    (folder / RECIPE_FILE).write_text(yaml.safe_dump(begun))
    with pytest.raises(CrosscaleError, match="other settings: precision was 32-true"):
        _train(folder, dataclasses.replace(TINY, precision="bf16-mixed"), resume=True)
    _train(folder, resume=True)


def test_metrics_tell_a_collapsed_run(undisturbed):
    row = read_metrics(undisturbed)[-1]
    assert {
        "loss",
        "loss_of_chance",
        "joint/positive",
        "joint/negative",
        "joint/spread",
        "mined/same_label",
    } <= row.keys()


def test_a_collapsed_run_is_called_out_once_and_a_sound_one_is_not(tmp_path):
    said = []
    _train(tmp_path / "sound", _changed(epochs=8), say=said.append)
    assert said == []
    too_fast = _changed(epochs=8, learning_rate=100.0, schedule="step")
    _train(tmp_path / "too fast", too_fast, say=said.append)
    (line,) = said
    assert "the run has collapsed (joint: all embeddings are alike" in line
    assert "\n" not in line


def test_half_precision_needs_a_gpu_and_says_so_before_anything_is_written(tmp_path):
    with pytest.raises(CrosscaleError, match=r"16-mixed needs a GPU; .*--precision bf16-mixed"):
        _train(tmp_path / "run", dataclasses.replace(TINY, precision="16-mixed"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("last_batch", "steps"), [("use", 3), ("drop", 2)])
def test_the_last_batch_is_used_or_dropped(last_batch, steps):
    assert steps_per_epoch(_changed(last_batch=last_batch), 19) == steps


def test_a_last_batch_of_a_single_clip_is_used_too(tmp_path):
    _train(tmp_path / "run", _changed(epochs=1, batch=9))  # 9 + 9 + 1 clips through 16 places
    assert int(_state(tmp_path / "run")["model/queue.place"]) == 19 % 16


def test_a_batch_larger_than_the_data_trains_on_all_of_it(tmp_path):
    _train(tmp_path / "large", _changed(batch=64, epochs=1))
    assert read_metrics(tmp_path / "large")[0]["loss"] > 0


def test_a_batch_larger_than_the_data_with_the_last_one_dropped_is_refused(tmp_path):
    with pytest.raises(CrosscaleError, match="19 clips are fewer than one batch of 64"):
        _train(tmp_path / "none", _changed(batch=64, last_batch="drop"))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    data = _data()
    data.clips.coordinates[3] = torch.inf
    with pytest.raises(CrosscaleError, match="the loss is not finite in epoch 1, step"):
        pretrain(TINY, data, tmp_path / "nan", Fabric(accelerator="cpu", devices=1))
    views, facts = read_safetensors(tmp_path / "nan" / BAD_BATCH, "crosscale batch 1")
    broken = [i for i, clip in enumerate(views["query"]) if not clip.isfinite().all()]
    assert [facts["clips"][i] for i in broken] == ["clip 3"]


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    with only_writer(tmp_path / "run"), pytest.raises(CrosscaleError, match="another process"):
        _train(tmp_path / "run")
    _train(tmp_path / "run")


def test_the_rate_falls_by_ten_at_each_milestone():
    settings = Optimisation(learning_rate=1.0, milestones=[2, 3])
    rates = [learning_rate(settings, epoch) for epoch in (0, 1.9, 2, 3)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01])


def test_a_cosine_ends_at_zero_and_a_warm_up_starts_there():
    settings = Optimisation(epochs=10, learning_rate=1.0, schedule="cosine", warmup=2)
    assert learning_rate(settings, 0) < 1e-3
    assert learning_rate(settings, 10) == pytest.approx(0)
    assert learning_rate(settings, 6) == pytest.approx(0.5)
