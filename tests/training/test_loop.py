import dataclasses
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest
import torch
import yaml
from lightning_fabric import Fabric
from safetensors.torch import load_file

from crosscale.config import built
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.checkpoint import ENCODER_FILE, load_encoders
from crosscale.models.features import FeatureExtractor
from crosscale.skeleton.layout import Layout
from crosscale.training.callbacks import METRICS, read_metrics
from crosscale.training.loop import BAD_BATCH, RECIPE_FILE, pretrain
from crosscale.training.recipe import recipe_type
from crosscale.training.setup import steps_per_epoch
from crosscale.training.sources import Source
from crosscale.training.state import LAST
from crosscale.transforms.preprocess import ClipTensors
from crosscale.utils.files import only_writer
from crosscale.utils.tensors import read_safetensors

LAYOUT = Layout.load("kinect20")
SLOW = pytest.mark.slow
SETTINGS = {
    "knn_every": 0,
    "save_every": 1,
    "streams": ["joint", "joint@part10"],
    "preprocess.frames": 12,
    "preprocess.bodies": 1,
    "augment.cut.most": 2,
    "encoder.name": "tcn",  # a fraction of a graph network's time
    "encoder.width": 4,
    "encoder.dropout": 0.5,
    "objective.dim": 4,
    "objective.queue": 16,
    "objective.mining_start": 0.5,
    "optimiser.lr": 0.05,
    "schedule.name": "cosine",
    "training.epochs": 4,
    "training.batch_size": 8,
}


def _recipe(changes=None):
    values = {**SETTINGS, **(changes or {})}
    names = {key.removesuffix(".name"): v for key, v in values.items() if key.endswith(".name")}
    return built(recipe_type(names), values)


TINY = _recipe()


class Made(Source):
    """Clips of random numbers."""

    def __init__(self, count=19, device="cpu"):
        generator = torch.Generator().manual_seed(1)
        self.clips = ClipTensors(
            torch.randn(count, 3, 12, 20, 1, generator=generator).to(device),
            torch.ones(count, 1, dtype=torch.bool),
        )
        self.layout, self.classes, self.title = LAYOUT, ("a", "b"), "made"
        self.labels = torch.arange(count, device=device) % 2
        self.names = [f"clip {i}" for i in range(count)]

    def take(self, clips, views, seed):
        return dict.fromkeys(views, self.clips.take(clips))


def _train(folder, recipe=TINY, *, device="cpu", source=None, **options):
    fabric = Fabric(accelerator=device, devices=1)
    return pretrain(recipe, source or Made(device=device), folder, fabric, **options)


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
        _train(folder, callbacks=[stop], **options)


@pytest.mark.parametrize("epoch", [pytest.param(1, marks=SLOW), 2, pytest.param(3, marks=SLOW)])
def test_a_run_stopped_and_resumed_equals_the_undisturbed_one(undisturbed, tmp_path, epoch):
    folder = tmp_path / "stopped"
    _train_and_stop(folder, epoch)
    assert not (folder / ENCODER_FILE).exists()
    _train(folder, resume=True)
    assert _equal(_state(undisturbed), _state(folder))
    assert (folder / METRICS).read_text() == (undisturbed / METRICS).read_text()


PARTS = [{"name": "moco", "dim": 4, "queue": 16}, {"name": "masked", "weight": 0.5, "hidden": 8}]
OTHERS = {
    "infonce": {"dim": 4, "hidden": 8},
    "vicreg": {"dim": 4, "dense": 0.5, "nodes": 0.3, "frames": 0.4},
    "masked": {"hidden": 8},
    "sum": {"parts": [*PARTS, {"name": "vicreg", "weight": 0.1, "dim": 4}]},
}


@pytest.mark.parametrize("name", OTHERS)
def test_so_does_one_of_any_other_objective(tmp_path, name):
    kept = {key: value for key, value in SETTINGS.items() if not key.startswith("objective.")}
    own = {f"objective.{key}": value for key, value in OTHERS[name].items()}
    kind = recipe_type({"objective": name, "encoder": "tcn", "schedule": "cosine"})
    recipe = built(kind, {**kept, "objective.name": name, **own, "training.epochs": 2})
    _train(tmp_path / "undisturbed", recipe)
    _train_and_stop(tmp_path / "stopped", 1, recipe=recipe)
    _train(tmp_path / "stopped", recipe, resume=True)
    assert _equal(_state(tmp_path / "undisturbed"), _state(tmp_path / "stopped"))
    metrics = [(tmp_path / of / METRICS).read_text() for of in ("undisturbed", "stopped")]
    assert metrics[0] == metrics[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_too_the_same_seed_gives_the_same_run_stopped_or_not(tmp_path):
    for name in ("one", "other"):
        _train(tmp_path / name, device="cuda")
    _train_and_stop(tmp_path / "stopped", 2, device="cuda")
    _train(tmp_path / "stopped", device="cuda", resume=True)
    assert _equal(_state(tmp_path / "one"), _state(tmp_path / "other"))
    assert _equal(_state(tmp_path / "one"), _state(tmp_path / "stopped"))


@pytest.mark.parametrize("step", [pytest.param(1, marks=SLOW), 2, 3])
def test_so_does_one_stopped_within_an_epoch_or_at_its_last_step(undisturbed, tmp_path, step):
    folder, taken = tmp_path / "stopped", []

    class Stopping(Made):
        def take(self, clips, views, seed):
            taken.append(clips)
            if len(taken) == 3 + step:  # three steps an epoch
                os.kill(os.getpid(), signal.SIGTERM)
            return super().take(clips, views, seed)

    with pytest.raises(KeyboardInterrupt):
        _train(folder, source=Stopping())
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
        _train(folder, sparse, callbacks=[kill])
    _train(folder, sparse, resume=True)
    assert _equal(_state(undisturbed), _state(folder))
    assert [row["epoch"] for row in read_metrics(folder)] == [1, 2, 3, 4]


def test_resuming_with_other_settings_is_refused_by_name(undisturbed):
    with pytest.raises(CrosscaleError, match=r"training\.batch_size was 8, now 9"):
        _train(undisturbed, _recipe({"training.batch_size": 9}), resume=True)


def test_a_run_does_not_go_on_when_others_lie_where_it_began_from(undisturbed, tmp_path):
    begun = Path(shutil.copytree(undisturbed, tmp_path / "begun"))
    recipe = _recipe({"start": str(begun), "training.epochs": 1})
    longer = dataclasses.replace(recipe, training=TINY.training)
    _train(tmp_path / "run", recipe)
    _train(tmp_path / "run", longer, resume=True)
    _train(tmp_path / "other", _recipe({"seed": 1}))
    shutil.copy(tmp_path / "other" / ENCODER_FILE, begun)
    with pytest.raises(CrosscaleError, match="began from other encoders"):
        _train(tmp_path / "run", longer, resume=True)


def test_a_finished_run_goes_on_to_more_epochs_as_if_asked_for_them_at_once(tmp_path):
    told = []
    plain = {"schedule.name": "step", "objective.mining_start": None}
    recipe = _recipe({**plain, "training.epochs": 2})
    _train(tmp_path / "run", recipe)
    longer = _recipe(plain)
    _train(tmp_path / "run", longer, resume=True, say=told.append)
    _train(tmp_path / "straight", longer)
    assert _equal(_state(tmp_path / "run"), _state(tmp_path / "straight"))
    assert "the number of epochs was 2, now 4" in told[0]
    with pytest.raises(CrosscaleError, match="has trained 4 epochs already"):
        _train(tmp_path / "run", recipe, resume=True)


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
    (folder / "recipe.yaml").write_text("seed: [")
    with pytest.raises(CrosscaleError, match=r"recipe\.yaml is not a YAML file \(line 1\)"):
        _train(folder, resume=True)


def test_a_full_disk_is_told_by_name_and_leaves_the_last_checkpoint(tmp_path):
    folder = tmp_path / "run"
    _train(folder, _recipe({"training.epochs": 1}))
    before = (folder / LAST).read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # stands in for a full disk
    try:
        with pytest.raises(CrosscaleError, match=r"cannot write .*last\.safetensors: .*too large"):
            _train(folder, _recipe({"training.epochs": 2}), resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert (folder / LAST).read_bytes() == before
    assert [path.name for path in (folder / LAST).parent.iterdir()] == [LAST.name]


def test_the_encoders_come_back_with_all_they_need(undisturbed):
    encoders = load_encoders(undisturbed)
    assert list(encoders.encoders) == ["joint", "joint@part10"]
    assert encoders.preprocess == TINY.preprocess
    assert encoders.classes == ("a", "b")
    vectors = FeatureExtractor(encoders)(Made().clips)
    assert {name: v.shape for name, v in vectors.items()} == {
        name: (19, encoder.dim) for name, encoder in encoders.encoders.items()
    }


def test_mixed_precision_trains_nearly_alike(undisturbed, tmp_path):
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    pretrain(TINY, Made(), tmp_path / "mixed", fabric)
    mixed, full = read_metrics(tmp_path / "mixed"), read_metrics(undisturbed)
    assert mixed[0]["loss"] == pytest.approx(full[0]["loss"], rel=0.02)
    assert all(
        value.dtype == torch.float32
        for value in _state(tmp_path / "mixed").values()
        if value.is_floating_point()
    )


def test_in_mixed_precision_the_contrast_is_computed_in_32_bits(tmp_path):
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    pretrain(TINY, Made(), tmp_path / "mixed", fabric)
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
        "chance_loss",
        "joint/pos_sim",
        "joint/neg_sim",
        "joint/embedding_std",
        "mined/same_label",
    } <= row.keys()


@pytest.mark.slow
def test_a_collapsed_run_is_called_out_once_and_a_sound_one_is_not(tmp_path):
    said = []
    graph = {"encoder.name": "stgcn", "encoder.width": 8, "encoder.hidden": 2}
    sound = {**graph, "training.epochs": 8}
    _train(tmp_path / "sound", _recipe(sound), say=said.append)
    assert said == []
    too_fast = _recipe({**sound, "optimiser.lr": 100.0, "schedule.name": "step"})
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
    assert steps_per_epoch(_recipe({"training.last_batch": last_batch}), 19) == steps


def test_a_last_batch_of_a_single_clip_is_used_too(tmp_path):
    recipe = _recipe({"training.epochs": 1, "training.batch_size": 9})
    _train(tmp_path / "run", recipe)  # 9 + 9 + 1 clips through 16 places
    assert int(_state(tmp_path / "run")["model/queue.place"]) == 19 % 16


def test_a_batch_larger_than_the_data_trains_on_all_of_it(tmp_path):
    _train(tmp_path / "large", _recipe({"training.epochs": 1, "training.batch_size": 64}))
    assert read_metrics(tmp_path / "large")[0]["loss"] > 0


@pytest.mark.parametrize(("queue", "warned"), [(19, False), (20, True)])
def test_a_queue_that_holds_clips_several_times_is_told(queue, warned, tmp_path):
    said = []
    recipe = _recipe({"training.epochs": 1, "objective.queue": queue})
    _train(tmp_path / "run", recipe, say=said.append)
    assert any("the queue of 20 keys is longer than the 19 clips" in t for t in said) == warned


def test_a_batch_larger_than_the_data_with_the_last_one_dropped_is_refused(tmp_path):
    with pytest.raises(CrosscaleError, match="19 clips are fewer than one batch of 64"):
        _train(
            tmp_path / "none", _recipe({"training.batch_size": 64, "training.last_batch": "drop"})
        )


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    source = Made()
    source.clips.coordinates[3] = torch.inf
    with pytest.raises(CrosscaleError, match="the loss is not finite in epoch 1, step"):
        _train(tmp_path / "nan", source=source)
    views, facts = read_safetensors(tmp_path / "nan" / BAD_BATCH, "crosscale batch 1")
    broken = [i for i, clip in enumerate(views["query"]) if not clip.isfinite().all()]
    assert [facts["clips"][i] for i in broken] == ["clip 3"]


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    with only_writer(tmp_path / "run"), pytest.raises(CrosscaleError, match="another process"):
        _train(tmp_path / "run")
    _train(tmp_path / "run")


def test_adamw_and_clipped_gradients_resume_bit_for_bit(tmp_path):
    recipe = _recipe(
        {
            "optimiser.name": "adamw",
            "optimiser.lr": 1e-3,
            "optimiser.clip_norm": 0.5,
            "training.warmup": 1,
        }
    )
    _train(tmp_path / "straight", recipe)
    _train_and_stop(tmp_path / "stopped", 2, recipe=recipe)
    kept = _state(tmp_path / "stopped")
    assert {name.split("/")[1] for name in kept if name.startswith("optimiser/")} == {
        "exp_avg",
        "exp_avg_sq",
        "step",
    }
    _train(tmp_path / "stopped", recipe, resume=True)
    assert _equal(_state(tmp_path / "straight"), _state(tmp_path / "stopped"))


def test_what_a_recipe_names_but_does_not_know_is_refused_before_anything_is_written(tmp_path):
    for streams in ([], ["joint", "joint"]):
        with pytest.raises(CrosscaleError, match="must differ and be one or more"):
            _train(tmp_path / "run", _recipe({"streams": streams}))
    assert not (tmp_path / "run").exists()
