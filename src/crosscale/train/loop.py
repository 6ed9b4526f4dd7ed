"""Pre-training: one loop, read from top to bottom.

Every random number of a step follows from (seed, step), so a run that is interrupted and resumed
equals one that is not, bit for bit.
"""

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import yaml
from lightning_fabric import Fabric
from torch import Tensor

from crosscale.contrast.method import MomentumContrast
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.files import atomic_path, only_writer
from crosscale.recipe import Recipe, settings_of
from crosscale.run import save_encoders, write_safetensors
from crosscale.settings import flat, plain
from crosscale.streams.preprocess import ClipSource, ClipTensors
from crosscale.train import checkpoint
from crosscale.train.monitor import (
    CollapseAlarm,
    MetricsLog,
    NeighbourProbe,
    Sums,
    measurements,
)
from crosscale.train.schedule import learning_rate
from crosscale.views.compose import Views, derived_seed

RECIPE_FILE = "recipe.yaml"
BAD_BATCH = "not-finite.safetensors"


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on, on its device.

    Attributes:
        store: where it comes from.
        clips: the training part.
        labels: (N,) for diagnosis only.
        names: (N,) of the clips.
        probe: nearest neighbours among the training clips, where they have labels.
    """

    store: ClipStore
    clips: ClipSource
    labels: Tensor
    names: Sequence[str]
    probe: NeighbourProbe | None

    def loaded(
        self, batches: Iterable[tuple[Tensor, int]]
    ) -> Iterator[tuple[Tensor, int, ClipTensors]]:
        """Clip numbers (N,), seed and clips of each step."""
        return ((clips, seed, self.clips.take(clips)) for clips, seed in batches)


@dataclass(frozen=True)
class EpochDone:
    """What the caller is told after each epoch; no rate where a resumed epoch had no step left."""

    epoch: int
    epochs: int
    row: dict[str, float]
    clips_per_second: float


def pretrain(
    recipe: Recipe,
    data: TrainingData,
    folder: Path,
    fabric: Fabric,
    *,
    resume: bool = False,
    report: Callable[[EpochDone], None] = lambda done: None,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Pre-train a recipe's streams and write the encoders.

    Args:
        recipe: every setting.
        data: on the fabric's device.
        folder: the run folder.
        fabric: device, precision and processes.
        resume: go on from the folder's last checkpoint.
        report: called after each epoch.
        say: told what a user should know, in a sentence.

    Returns:
        The file of trained encoders.

    Raises:
        CrosscaleError: when the folder holds another run, the settings cannot be trained on this
            data, or the loss stops being finite.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the state is saved.
    """
    values = dataclasses.asdict(recipe)
    _check(recipe, len(data.labels), fabric.device)
    if resume and not (folder / RECIPE_FILE).is_file():
        raise CrosscaleError(f"{folder} holds no run to resume; leave --resume out to start one")
    torch.manual_seed(recipe.seed)
    method = MomentumContrast(data.store.layout, recipe.contrast, recipe.encoder)
    optimiser = torch.optim.SGD(
        method.query.parameters(),
        lr=recipe.optimisation.learning_rate,
        momentum=recipe.optimisation.momentum,
        weight_decay=recipe.optimisation.weight_decay,
        foreach=True,
    )
    for encoder in method.encoders().values():
        encoder.recompute = recipe.optimisation.recompute
    method.to(fabric.device)
    scales = [stream.scale for stream in method.streams]
    extreme = recipe.extreme if recipe.contrast.extreme else None
    views = Views(recipe.views, data.store.layout, scales, recipe.seed, extreme)
    with ExitStack() as stack:
        stack.enter_context(only_writer(folder))
        progress = _begin(folder, resume, values, method, optimiser, say)
        trained, stepper = fabric.setup(method, optimiser)
        log = stack.enter_context(MetricsLog(folder, progress.epoch))
        alarm = CollapseAlarm(recipe.contrast.features, say)
        stopped = stack.enter_context(_stop_requests())
        while progress.epoch < recipe.optimisation.epochs:
            started, first = time.perf_counter(), progress.step
            sums = Sums(progress.sums, fabric.device)
            steps = _batches(recipe, len(data.labels), progress, fabric.device)
            for clips, seed, batch in data.loaded(steps):
                rate = learning_rate(recipe.optimisation, _position(recipe, data, progress))
                for group in optimiser.param_groups:
                    group["lr"] = rate
                # Dropout draws from the global generators.
                torch.manual_seed(derived_seed(seed, "dropout"))
                outcome = trained(
                    views(batch.coordinates, seed),
                    batch.present,
                    clips,
                    _crossed(recipe, progress.epoch),
                )
                fabric.backward(outcome.loss)
                stepper.step()
                stepper.zero_grad()
                sums.add(measurements(outcome, data.labels, clips), progress.step)
                progress.step += 1
                if stopped():
                    _take(recipe, data, views, progress, sums, folder)
                    checkpoint.save(folder, method, optimiser, progress, values)
                    raise KeyboardInterrupt
            _take(recipe, data, views, progress, sums, folder)
            seconds = time.perf_counter() - started
            rate_of_clips = (progress.step - first) * recipe.optimisation.batch / seconds
            row = _end_epoch(recipe, data, method, progress)
            log.write(row)
            alarm(row)
            last = progress.epoch == recipe.optimisation.epochs
            if last or progress.epoch % recipe.save_every == 0:
                checkpoint.save(folder, method, optimiser, progress, values)
            report(EpochDone(progress.epoch, recipe.optimisation.epochs, row, rate_of_clips))
        return save_encoders(
            folder,
            method.encoders(),
            recipe.encoder,
            data.store.layout,
            recipe.preprocess,
            classes=list(data.store.classes),
            protocol=recipe.protocol,
            store=data.store.name,
            store_path=str(data.store.path.resolve()),
            epoch=progress.epoch,
            seed=recipe.seed,
        )


def steps_per_epoch(recipe: Recipe, clips: int) -> int:
    """Steps an epoch, with the last smaller batch used or dropped as the recipe says."""
    whole, rest = divmod(clips, recipe.optimisation.batch)
    return whole + (rest > 0 and recipe.optimisation.last_batch == "use")


def _check(recipe: Recipe, clips: int, device: torch.device) -> None:
    if recipe.precision == "16-mixed" and device.type == "cpu":
        raise CrosscaleError(
            "precision 16-mixed needs a GPU; on a CPU say --precision bf16-mixed or 32-true"
        )
    batch = recipe.optimisation.batch
    if batch < 2 or recipe.optimisation.epochs < 1 or recipe.save_every < 1:
        raise CrosscaleError("batch must be 2 or more, epochs and save_every 1 or more")
    if steps_per_epoch(recipe, clips) == 0:
        raise CrosscaleError(
            f"{clips} clips are fewer than one batch of {batch} and last_batch is 'drop': nothing "
            f"would be trained; say --optimisation.batch {clips} or --optimisation.last_batch use"
        )
    if clips < 2:
        raise CrosscaleError(f"contrast needs two clips or more, the training part has {clips}")


def _begin(
    folder: Path,
    resume: bool,
    recipe: dict[str, Any],
    method: MomentumContrast,
    optimiser: torch.optim.Optimizer,
    say: Callable[[str], None],
) -> checkpoint.Progress:
    if not resume:
        if (folder / RECIPE_FILE).exists():
            raise CrosscaleError(f"{folder} holds a run already: say --resume, or another folder")
        _write_recipe(folder, recipe)
        return checkpoint.Progress()
    begun = yaml.safe_load((folder / RECIPE_FILE).read_text())
    different = _differences(settings_of(begun), flat(plain(recipe)))
    longer = different.pop("optimisation.epochs", None)
    if different:
        told = "; ".join(f"{name} {change}" for name, change in different.items())
        raise CrosscaleError(f"{folder} was begun with other settings: {told}")
    progress = checkpoint.Progress()
    if (folder / checkpoint.LAST).is_file():
        progress = checkpoint.restore(folder, method, optimiser)[0]
    if longer:
        if progress.epoch > recipe["optimisation"]["epochs"]:
            raise CrosscaleError(f"{folder} has trained {progress.epoch} epochs already: name more")
        say(f"the number of epochs {longer}; what counts in shares of it goes by the new one")
        _write_recipe(folder, recipe)
    return progress


def _write_recipe(folder: Path, recipe: dict[str, Any]) -> None:
    with atomic_path(folder / RECIPE_FILE) as temporary:
        temporary.write_text(yaml.safe_dump(plain(recipe), sort_keys=False))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"was {old.get(name)}, now {new.get(name)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _batches(
    recipe: Recipe, count: int, progress: checkpoint.Progress, device: torch.device
) -> Iterator[tuple[Tensor, int]]:
    """Clip numbers (N,) and seed of each step that is left in the epoch."""
    generator = torch.Generator().manual_seed(derived_seed(recipe.seed, f"epoch {progress.epoch}"))
    order = torch.randperm(count, generator=generator)
    replayed = 0 if recipe.optimisation.replay_views else progress.epoch
    batches = order.split(recipe.optimisation.batch)[: steps_per_epoch(recipe, count)]
    for step, clips in enumerate(batches):
        if step >= progress.step:
            yield clips.to(device), derived_seed(recipe.seed, f"step {replayed} {step}")


def _position(recipe: Recipe, data: TrainingData, progress: checkpoint.Progress) -> float:
    return progress.epoch + progress.step / steps_per_epoch(recipe, len(data.labels))


def _crossed(recipe: Recipe, epoch: int) -> bool:
    share = recipe.contrast.cross_from
    return share is not None and epoch >= share * recipe.optimisation.epochs


def _take(
    recipe: Recipe,
    data: TrainingData,
    views: Views,
    progress: checkpoint.Progress,
    sums: Sums,
    folder: Path,
) -> None:
    progress.sums, bad = sums.read()
    if bad is None:
        return
    kept = _keep_batch(recipe, data, views, progress.epoch, bad, folder)
    raise CrosscaleError(
        f"the loss is not finite in epoch {progress.epoch + 1}, step {bad + 1} of {folder}; "
        "lower --optimisation.learning_rate in a new run, or --resume from the last checkpoint; "
        f"the step's clips and views are in {kept}"
    )


def _keep_batch(
    recipe: Recipe, data: TrainingData, views: Views, epoch: int, step: int, folder: Path
) -> Path:
    """Write a step's views for inspection; they are drawn again, as everything follows the seed."""
    clips, seed = next(
        _batches(recipe, len(data.labels), checkpoint.Progress(epoch, step), data.labels.device)
    )
    drawn = views(data.clips.take(clips).coordinates, seed)
    names = zip(("query", "key", "extreme"), drawn, strict=False)
    tensors = {name: view.coordinates.cpu().contiguous() for name, view in names}
    facts = {
        "format": "crosscale batch 1",
        "epoch": epoch + 1,
        "step": step + 1,
        "seed": seed,
        "clips": [data.names[clip] for clip in clips.tolist()],
    }
    path = folder / BAD_BATCH
    write_safetensors(path, tensors, facts)
    return path


def _end_epoch(
    recipe: Recipe,
    data: TrainingData,
    method: MomentumContrast,
    progress: checkpoint.Progress,
) -> dict[str, float]:
    last = checkpoint.Progress(progress.epoch, progress.step - 1)
    rate = learning_rate(recipe.optimisation, _position(recipe, data, last))
    row: dict[str, float] = {"epoch": progress.epoch + 1, "lr": rate}
    row |= {name: total / progress.step for name, total in progress.sums.items()}
    row["loss_of_chance"] = math.log(1 + recipe.contrast.queue)
    progress.epoch, progress.step, progress.sums = progress.epoch + 1, 0, {}
    due = recipe.knn_every and progress.epoch % recipe.knn_every == 0
    if data.probe is not None and due:
        row |= data.probe(method)
    return row


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question that the loop asks between steps."""
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
