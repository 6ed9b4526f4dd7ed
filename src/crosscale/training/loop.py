"""Pre-training: one loop, read from top to bottom.

Every random number of a step follows from (seed, step), so a run that is interrupted and resumed
equals one that is not, bit for bit.
"""

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
import yaml
from lightning_fabric import Fabric
from torch import Tensor

from crosscale.augment.compose import View, Views, derived_seed
from crosscale.config import flat, plain
from crosscale.data.store import ClipStore
from crosscale.encoders.cuda_graph import record
from crosscale.encoders.sync_norm import synchronise
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import save_encoders
from crosscale.objectives.moco import MomentumContrast, Shared
from crosscale.training import state as checkpoint
from crosscale.training.callbacks import (
    CollapseAlarm,
    MetricsLog,
    NeighbourProbe,
    Sums,
    measurements,
)
from crosscale.training.distributed import Team
from crosscale.training.optim import learning_rate
from crosscale.training.recipe import Recipe, settings_of
from crosscale.transforms.preprocess import ClipSource
from crosscale.utils.files import atomic_path, only_writer
from crosscale.utils.repeatable import repeatable
from crosscale.utils.tensors import write_safetensors

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


class Shown(NamedTuple):
    """What a process sees of a step.

    Attributes:
        views: query and key view, and an extreme one.
        body_mask: which bodies are there, (n, M).
        clips: numbers of its clips, (n,).
        weight: of its mean loss in a mean over processes.
        shared: the whole batch, where several processes share it.
    """

    views: Sequence[View]
    body_mask: Tensor
    clips: Tensor
    weight: float = 1.0
    shared: Shared | None = None


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
        fabric: device, precision and processes, launched; each process calls this function.
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
    team = Team(fabric)
    _check(recipe, len(data.labels), team)
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
    if team.count > 1 and recipe.optimisation.batch_norm == "synchronised":
        synchronise(method)
    method.to(fabric.device)
    if fabric.device.type == "cuda" and team.count == 1 and not recipe.optimisation.recompute:
        record(method)
    scales = [stream.scale for stream in method.streams]
    extreme = recipe.extreme if recipe.contrast.extreme else None
    views = Views(recipe.views, data.store.layout, scales, recipe.seed, extreme)
    with ExitStack() as stack:
        stack.enter_context(repeatable())
        team.first(lambda: stack.enter_context(only_writer(folder)))
        # Before the state is read: what reads it can take an interruption for a damaged file.
        stopped = stack.enter_context(_stop_requests())
        progress = team.first(lambda: _begin(folder, resume, values, method, optimiser, say))
        team.share(method, optimiser)
        trained, stepper = fabric.setup(method, optimiser)
        log = stack.enter_context(MetricsLog(folder, progress.epoch)) if team.is_first else None
        alarm = CollapseAlarm(recipe.contrast.features, say)
        while progress.epoch < recipe.optimisation.epochs:
            started, first = time.perf_counter(), progress.step
            sums = Sums(progress.sums, fabric.device)
            steps = _batches(recipe, len(data.labels), progress)
            for clips, seed in steps:
                rate = learning_rate(recipe.optimisation, _position(recipe, data, progress))
                for group in optimiser.param_groups:
                    group["lr"] = rate
                # Dropout draws from the global generators.
                torch.manual_seed(derived_seed(seed, f"dropout {team.number or ''}".strip()))
                seen = _shown(recipe, data, views, team, clips, seed)
                crossed = _crossed(recipe, progress.epoch)
                outcome = trained(seen.views, seen.body_mask, seen.clips, crossed, seen.shared)
                fabric.backward(outcome.loss * seen.weight)
                stepper.step()
                stepper.zero_grad()
                numbers = measurements(outcome, data.labels, seen.clips)
                sums.add(numbers, progress.step, seen.weight)
                progress.step += 1
                if team.any(stopped()):
                    _take(recipe, data, views, progress, sums, folder, team)
                    _save(folder, method, optimiser, progress, values, team)
                    raise KeyboardInterrupt
            _take(recipe, data, views, progress, sums, folder, team)
            seconds = time.perf_counter() - started
            rate_of_clips = (progress.step - first) * recipe.optimisation.batch / seconds
            row = _end_epoch(recipe, data, progress)
            due = recipe.knn_every and progress.epoch % recipe.knn_every == 0
            if due and data.probe is not None:
                row |= team.first(partial(data.probe, method))
            if log is not None:
                log.write(row)
            alarm(row)
            last = progress.epoch == recipe.optimisation.epochs
            if last or progress.epoch % recipe.save_every == 0:
                _save(folder, method, optimiser, progress, values, team)
            report(EpochDone(progress.epoch, recipe.optimisation.epochs, row, rate_of_clips))
        return team.first(lambda: _write_encoders(recipe, data, method, progress.epoch, folder))


def steps_per_epoch(recipe: Recipe, clips: int) -> int:
    """Steps an epoch, with the last smaller batch used or dropped as the recipe says."""
    whole, rest = divmod(clips, recipe.optimisation.batch)
    return whole + (rest > 0 and recipe.optimisation.last_batch == "use")


def _shown(
    recipe: Recipe, data: TrainingData, views: Views, team: Team, clips: Tensor, seed: int
) -> Shown:
    """This process's part of a batch of clips (N,), whose numbers lie on the host."""
    numbers = clips.to(team.device, non_blocking=True)
    if team.count == 1:
        batch = data.clips.take(clips)
        return Shown(views(batch.coordinates, seed), batch.body_mask, numbers)
    part = team.part(len(clips))
    batch = data.clips.take(clips[part.rows.cpu()])
    seen, keyed = list(views(batch.coordinates, seed, part)), batch
    order = torch.arange(len(clips))
    if recipe.optimisation.batch_norm == "shuffled":
        generator = torch.Generator().manual_seed(derived_seed(seed, "shuffle"))
        order = torch.randperm(len(clips), generator=generator)
        others = team.part(len(clips), order)
        keyed = data.clips.take(clips[others.rows.cpu()])
        seen[1] = views.key(keyed.coordinates, seed, others)
    back = order.argsort().to(team.device)

    def gather(keys: Tensor) -> Tensor:
        return team.gather(keys, len(clips))[:, back]

    shared = Shared(numbers, part.rows, keyed.body_mask, gather)
    return Shown(seen, batch.body_mask, numbers[part.rows], team.weight(part), shared)


def _check(recipe: Recipe, clips: int, team: Team) -> None:
    if recipe.precision == "16-mixed" and team.device.type == "cpu":
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
    rest = clips % batch if recipe.optimisation.last_batch == "use" else 0
    if min(batch, rest or batch, clips) < team.count:
        raise CrosscaleError(
            f"{team.count} processes cannot share a batch of {min(batch, rest or batch, clips)} "
            "clips; say --optimisation.last_batch drop, a larger batch, or fewer processes"
        )


def _begin(
    folder: Path,
    resume: bool,
    recipe: dict[str, Any],
    method: MomentumContrast,
    optimiser: torch.optim.Optimizer,
    say: Callable[[str], None],
) -> checkpoint.Progress:
    if resume and not (folder / RECIPE_FILE).is_file():
        raise CrosscaleError(f"{folder} holds no run to resume; leave --resume out to start one")
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
    recipe: Recipe, count: int, progress: checkpoint.Progress
) -> Iterator[tuple[Tensor, int]]:
    """Clip numbers (N,) and seed of each step that is left in the epoch."""
    generator = torch.Generator().manual_seed(derived_seed(recipe.seed, f"epoch {progress.epoch}"))
    order = torch.randperm(count, generator=generator)
    replayed = 0 if recipe.optimisation.replay_views else progress.epoch
    batches = order.split(recipe.optimisation.batch)[: steps_per_epoch(recipe, count)]
    for step, clips in enumerate(batches):
        if step >= progress.step:
            yield clips, derived_seed(recipe.seed, f"step {replayed} {step}")


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
    team: Team,
) -> None:
    progress.sums, bad = sums.read(team)
    if bad is None:
        return
    step = bad
    kept = team.first(lambda: _keep_batch(recipe, data, views, progress.epoch, step, folder))
    raise CrosscaleError(
        f"the loss is not finite in epoch {progress.epoch + 1}, step {bad + 1} of {folder}; "
        "lower --optimisation.learning_rate in a new run, or --resume from the last checkpoint; "
        f"the step's clips and views are in {kept}"
    )


def _keep_batch(
    recipe: Recipe, data: TrainingData, views: Views, epoch: int, step: int, folder: Path
) -> Path:
    """Write a step's views for inspection; they are drawn again, as everything follows the seed."""
    clips, seed = next(_batches(recipe, len(data.labels), checkpoint.Progress(epoch, step)))
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


def _save(
    folder: Path,
    method: MomentumContrast,
    optimiser: torch.optim.Optimizer,
    progress: checkpoint.Progress,
    recipe: dict[str, Any],
    team: Team,
) -> None:
    """Save the run's state, once the processes are seen to agree on it."""
    team.check(
        [
            ("queue", method.queue.keys),
            ("clips in the queue", method.queue.clips),
            *((f"weights ({name})", weights) for name, weights in method.named_parameters()),
        ]
    )
    team.first(lambda: checkpoint.save(folder, method, optimiser, progress, recipe))


def _write_encoders(
    recipe: Recipe, data: TrainingData, method: MomentumContrast, epoch: int, folder: Path
) -> Path:
    return save_encoders(
        folder,
        method.encoders(),
        data.store.layout,
        recipe.preprocess,
        classes=list(data.store.classes),
        protocol=recipe.protocol,
        store=data.store.name,
        data=data.store.path,
        epoch=epoch,
        seed=recipe.seed,
    )


def _end_epoch(
    recipe: Recipe, data: TrainingData, progress: checkpoint.Progress
) -> dict[str, float]:
    last = checkpoint.Progress(progress.epoch, progress.step - 1)
    rate = learning_rate(recipe.optimisation, _position(recipe, data, last))
    row: dict[str, float] = {"epoch": progress.epoch + 1, "lr": rate}
    row |= {name: total / progress.step for name, total in progress.sums.items()}
    row["loss_of_chance"] = math.log(1 + recipe.contrast.queue)
    progress.epoch, progress.step, progress.sums = progress.epoch + 1, 0, {}
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
