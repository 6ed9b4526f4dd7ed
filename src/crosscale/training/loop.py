"""Pre-training: one loop, read from top to bottom.

Every random number of a step follows from (seed, step), so a run that is interrupted and resumed
equals one that is not, bit for bit.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from torch import Tensor

from crosscale.augment.compose import View
from crosscale.augment.random import Part
from crosscale.config import plain
from crosscale.encoders.cuda_graph import record
from crosscale.encoders.sync_norm import synchronise
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import save_encoders
from crosscale.objectives.base import Batch, GlobalBatch
from crosscale.training import state
from crosscale.training.callbacks import (
    Callback,
    CollapseAlarm,
    EpochEnd,
    MetricsLog,
    Sums,
    measurements,
)
from crosscale.training.distributed import Team
from crosscale.training.optim import clip_gradients, learning_rate, make_optimiser
from crosscale.training.output import fit_output
from crosscale.training.recipe import Recipe, settings_by_name
from crosscale.training.setup import make_objective, make_views, start_of, steps_per_epoch
from crosscale.training.sources import Source
from crosscale.utils.files import atomic_path, only_writer
from crosscale.utils.formats import read_yaml
from crosscale.utils.progress import tracked
from crosscale.utils.repeatable import derived_seed, repeatable
from crosscale.utils.stopping import stop_requests
from crosscale.utils.tensors import write_safetensors

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RECIPE_FILE = "recipe.yaml"
BAD_BATCH = "not-finite.safetensors"
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def pretrain(
    recipe: Recipe,
    source: Source,
    folder: Path,
    fabric: "Fabric",
    *,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Pre-train a recipe's streams and write the encoders.

    Args:
        recipe: every setting.
        source: of clips, for the fabric's device.
        folder: the run folder.
        fabric: device, precision and processes, launched; each process calls this function.
        resume: go on from the folder's last checkpoint.
        callbacks: called after each epoch, by the first process; what they add to its metrics is
            written too.
        say: told what a user should know, in a sentence.

    Returns:
        The file of trained encoders.

    Raises:
        CrosscaleError: when the folder holds another run, the settings cannot be trained on these
            clips, or the loss stops being finite.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the state is saved.
    """
    run = _Run(recipe, source, folder, fabric)
    objective, optimiser = run.objective, run.optimiser
    with ExitStack() as stack:
        stack.enter_context(repeatable())
        run.team.first(lambda: stack.enter_context(only_writer(folder)))
        # Before the state is read: what reads it can take an interruption for a damaged file.
        stopped = stack.enter_context(stop_requests())
        run.progress = progress = run.team.first(lambda: run.begin(resume, say))
        run.team.share(objective, optimiser)
        trained, stepper = fabric.setup(objective, optimiser)
        if run.team.is_first:
            log = stack.enter_context(closing(MetricsLog(folder, progress.epoch)))
            callbacks = [*callbacks, log, CollapseAlarm(getattr(recipe.objective, "dim", 1), say)]
        epochs = range(progress.epoch, recipe.training.epochs)
        for _ in tracked(epochs, "epochs", len(epochs)):
            started, first = time.perf_counter(), progress.step
            sums = Sums(progress.sums, fabric.device)
            left = run.steps_an_epoch - first
            for clips, seed in tracked(run.steps(), "steps of an epoch", left):
                rate = run.learning_rate(progress)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                # Dropout draws from the global generators.
                torch.manual_seed(derived_seed(seed, f"dropout {run.team.rank or ''}".strip()))
                batch, weight = run.batch(clips, seed)
                output = trained(batch)
                fabric.backward(output.loss * weight)
                clip_gradients(objective.parameters(), recipe.optimiser)
                stepper.step()
                stepper.zero_grad()
                sums.add(measurements(output, source.labels, batch.clips), progress.step, weight)
                progress.step += 1
                objective.after_step(run.share_done(progress))
                if run.team.any(stopped()):
                    run.read(sums)
                    run.save()
                    raise KeyboardInterrupt("go on with --resume")
            run.read(sums)
            seconds = time.perf_counter() - started
            clips_per_second = (progress.step - first) * recipe.training.batch_size / seconds
            metrics = run.end_epoch()
            done = EpochEnd(
                progress.epoch, recipe.training.epochs, metrics, clips_per_second, objective
            )
            run.team.first(partial(_call, callbacks, done))
            last = progress.epoch == recipe.training.epochs
            if last or progress.epoch % recipe.save_every == 0:
                run.save()
        return run.team.first(lambda: run.write_encoders(stopped))


def check_folder(folder: Path, resume: bool) -> None:
    """See that a run can begin in a folder, or go on there.

    Raises:
        CrosscaleError: when it holds a run already, or none to resume.
    """
    if resume and not (folder / RECIPE_FILE).is_file():
        raise CrosscaleError(f"{folder} holds no run to resume; leave --resume out to start one")
    if not resume and (folder / RECIPE_FILE).exists():
        raise CrosscaleError(f"{folder} holds a run already: say --resume, or another folder")


class _Run:
    """A run under way: what it was made of, and where it stands."""

    def __init__(self, recipe: Recipe, source: Source, folder: Path, fabric: "Fabric") -> None:
        self.recipe, self.source, self.folder = recipe, source, folder
        self.team = Team(fabric)
        self.steps_an_epoch = steps_per_epoch(recipe, source.epoch_clips)
        _check(recipe, source.epoch_clips, self.team)
        self.values = plain(dataclasses.asdict(recipe))
        start = start_of(recipe)
        self.progress = state.Progress(start=start.fingerprint if start else None)
        self.objective = make_objective(recipe, source, start)
        self.optimiser = make_optimiser(self.objective, recipe.optimiser)
        for encoder in self.objective.encoders().values():
            encoder.recompute = recipe.training.recompute
        self.synchronised = recipe.training.batch_norm == "synchronised"
        if self.team.world_size > 1 and self.synchronised:
            synchronise(self.objective)
        self.objective.to(fabric.device)
        alone = fabric.device.type == "cuda" and self.team.world_size == 1
        if alone and not recipe.training.recompute:
            record(self.objective)
        self.views = make_views(recipe, source.layout)

    def begin(self, resume: bool, say: Callable[[str], None]) -> state.Progress:
        """Make the run folder, or go on from it."""
        check_folder(self.folder, resume)
        path = self.folder / RECIPE_FILE
        if not resume:
            clips, queue = self.source.epoch_clips, getattr(self.recipe.objective, "queue", 0)
            if queue > clips:
                say(
                    f"the queue of {queue:,} keys is longer than the {clips:,} clips, and holds "
                    f"several of each: --objective.queue {max(clips // 2, 1)} would be a usual one"
                )
            self._write_recipe()
            return self.progress
        begun = read_yaml(path)
        if not isinstance(begun, dict):
            raise CrosscaleError(f"{path} is no recipe: start the run anew in another folder")
        different = _differences(settings_by_name(begun), settings_by_name(self.values))
        longer = different.pop("training.epochs", None)
        if different:
            told = "; ".join(f"{name} {change}" for name, change in different.items())
            raise CrosscaleError(f"{self.folder} was begun with other settings: {told}")
        progress, start = self.progress, self.progress.start
        if (self.folder / state.LAST).is_file():
            progress = state.restore(self.folder, self.objective, self.optimiser)
            if progress.start not in (None, start):
                raise CrosscaleError(
                    f"{self.folder} began from other encoders than {self.recipe.start} now holds: "
                    "bring those back, or start the run anew in another folder"
                )
        if longer:
            if progress.epoch > self.recipe.training.epochs:
                raise CrosscaleError(
                    f"{self.folder} has trained {progress.epoch} epochs already: name more"
                )
            say(f"the number of epochs {longer}; what counts in shares of it goes by the new one")
            self._write_recipe()
        return progress

    def _write_recipe(self) -> None:
        with atomic_path(self.folder / RECIPE_FILE) as temporary:
            temporary.write_text(yaml.safe_dump(self.values, sort_keys=False))

    def steps(self) -> Iterator[tuple[Tensor, int]]:
        """Clip numbers (N,) and seed of each step that is left in the epoch."""
        return _batches(self.recipe, self.source, self.progress)

    def learning_rate(self, progress: state.Progress) -> float:
        """The learning rate of a step."""
        epoch = progress.epoch + progress.step / self.steps_an_epoch
        training = self.recipe.training
        return learning_rate(
            self.recipe.schedule, self.recipe.optimiser.lr, epoch, training.epochs, training.warmup
        )

    def share_done(self, progress: state.Progress) -> float:
        """The share of the run's steps that are done."""
        epoch = progress.epoch + progress.step / self.steps_an_epoch
        return epoch / self.recipe.training.epochs

    def batch(self, clips: Tensor, seed: int) -> tuple[Batch, float]:
        """This process's part of a batch of clips (N,), whose numbers lie on the host.

        Returns:
            The batch, and what its mean loss weighs in a mean over processes.
        """
        team, names = self.team, self.views.names
        numbers = clips.to(team.device, non_blocking=True)
        done = (
            self.share_done(self.progress),
            self.progress.epoch / self.recipe.training.epochs,
        )
        if team.world_size == 1:
            return Batch(self._views(clips, names, seed), numbers, *done), 1.0
        part = team.part(len(clips))
        order = torch.arange(len(clips))
        key_part = part
        if not self.synchronised:
            generator = torch.Generator().manual_seed(derived_seed(seed, "shuffle"))
            order = torch.randperm(len(clips), generator=generator)
            key_part = team.part(len(clips), order)
        views: dict[str, View] = {}
        for own, wanted in (
            (part, [name for name in names if name not in self.objective.key_views]),
            (key_part, [name for name in names if name in self.objective.key_views]),
        ):
            views |= self._views(clips[own.rows.cpu()], wanted, seed, own)
        back = order.argsort().to(team.device)

        def gather(keys: Tensor) -> Tensor:
            return team.gather(keys, len(clips))[:, back]

        world = GlobalBatch(numbers, part.rows, gather)
        return Batch(views, numbers[part.rows], *done, world), team.weight(part)

    def _views(
        self, clips: Tensor, names: Sequence[str], seed: int, part: Part | None = None
    ) -> dict[str, View]:
        """Views of clips (N,) by name, of a batch or a part of one."""
        taken = self.source.take(clips, names, seed)
        return {name: self.views(name, taken[name], seed, part) for name in names}

    def read(self, sums: Sums) -> None:
        """Take over the epoch's sums, and stop where a loss was not finite."""
        self.progress.sums, bad = sums.read(self.team)
        if bad is None:
            return
        step = bad
        kept = self.team.first(lambda: self._keep_batch(step))
        raise CrosscaleError(
            f"the loss is not finite in epoch {self.progress.epoch + 1}, step {bad + 1} of "
            f"{self.folder}; lower --optimiser.lr in a new run, or --resume from the last "
            f"checkpoint; the step's clips and views are in {kept}"
        )

    def _keep_batch(self, step: int) -> Path:
        """Write a step's views for inspection; they are drawn again, as all follows the seed."""
        at = state.Progress(self.progress.epoch, step)
        clips, seed = next(_batches(self.recipe, self.source, at))
        drawn = self._views(clips, self.views.names, seed)
        tensors = {name: view.coordinates.cpu().contiguous() for name, view in drawn.items()}
        facts = {
            "format": "crosscale batch 1",
            "epoch": at.epoch + 1,
            "step": step + 1,
            "seed": seed,
            "clips": [self.source.names[clip] for clip in clips.tolist()],
        }
        path = self.folder / BAD_BATCH
        write_safetensors(path, tensors, facts)
        return path

    def end_epoch(self) -> dict[str, float]:
        """The metrics of the epoch that ends; the next one begins."""
        progress = self.progress
        last = state.Progress(progress.epoch, progress.step - 1)
        metrics: dict[str, float] = {"epoch": progress.epoch + 1, "lr": self.learning_rate(last)}
        metrics |= {name: total / progress.step for name, total in progress.sums.items()}
        progress.epoch, progress.step, progress.sums = progress.epoch + 1, 0, {}
        return metrics

    def save(self) -> None:
        """Save the run's state, once the processes are seen to agree on it."""
        named = self.objective.state_dict()
        if not self.synchronised:  # each process takes statistics of its own
            named = {k: v for k, v in named.items() if not k.endswith(STATISTICS)}
        self.team.check(named)
        self.team.first(
            lambda: state.save(
                self.folder, self.objective, self.optimiser, self.progress, self.values
            )
        )

    def _further(self, stopped: Callable[[], bool]) -> Iterator[tuple[View, View]]:
        """Two views of an epoch that is not trained, for what is fitted afterwards."""
        at = state.Progress(self.recipe.training.epochs)
        batches = list(islice(_batches(self.recipe, self.source, at), self.recipe.output.batches))
        for clips, seed in tracked(batches, "fitting the output layer", len(batches)):
            if stopped():
                raise KeyboardInterrupt("go on with --resume")
            one, other = self._views(clips, self.views.names[:2], seed).values()
            yield one, other

    def write_encoders(self, stopped: Callable[[], bool]) -> Path:
        """Write what is kept of the objective, with all that using it needs."""
        source, encoders = self.source, self.objective.encoders()
        output = None
        if self.recipe.output.dim:
            further = self._further(stopped)
            output = fit_output(encoders, source.layout, further, self.recipe.output)
        return save_encoders(
            self.folder,
            encoders,
            source.layout,
            self.recipe.preprocess,
            output=output,
            classes=list(source.classes),
            protocol=self.recipe.protocol,
            store=source.title,
            data=source.paths[0] if source.paths else None,
            epoch=self.progress.epoch,
            seed=self.recipe.seed,
        )


def _batches(
    recipe: Recipe, source: Source, progress: state.Progress
) -> Iterator[tuple[Tensor, int]]:
    """Clip numbers (N,) and seed of each step that is left in an epoch."""
    order = source.epoch(derived_seed(recipe.seed, f"epoch {progress.epoch}"))
    replayed = 0 if recipe.training.replay_views else progress.epoch
    batches = order.split(recipe.training.batch_size)[: steps_per_epoch(recipe, len(order))]
    for step, clips in enumerate(batches):
        if step >= progress.step:
            yield clips, derived_seed(recipe.seed, f"step {replayed} {step}")


def _call(callbacks: Sequence[Callback], done: EpochEnd) -> None:
    for callback in callbacks:
        callback(done)


def _check(recipe: Recipe, clips: int, team: Team) -> None:
    if recipe.precision == "16-mixed" and team.device.type == "cpu":
        raise CrosscaleError(
            "precision 16-mixed needs a GPU; on a CPU say --precision bf16-mixed or 32-true"
        )
    batch = recipe.training.batch_size
    if recipe.training.epochs < (0 if recipe.start else 1) or recipe.save_every < 1:
        raise CrosscaleError(
            "training.epochs and save_every must be 1 or more, epochs 0 or more where a run starts "
            "from trained encoders"
        )
    if not (recipe.training.epochs or recipe.output.dim):
        raise CrosscaleError(
            "with 0 epochs there is only an output layer to fit: say --output.dim 512"
        )
    if steps_per_epoch(recipe, clips) == 0:
        raise CrosscaleError(
            f"{clips} clips are fewer than one batch of {batch} and last_batch is 'drop': nothing "
            f"would be trained; say --training.batch_size {clips} or --training.last_batch use"
        )
    if clips < 2:
        raise CrosscaleError(f"contrast needs two clips or more, the training part has {clips}")
    rest = clips % batch if recipe.training.last_batch == "use" else 0
    if min(batch, rest or batch, clips) < team.world_size:
        raise CrosscaleError(
            f"{team.world_size} processes cannot share a batch of "
            f"{min(batch, rest or batch, clips)} clips; say --training.last_batch drop, a larger "
            "batch, or fewer processes"
        )


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"was {old.get(name)}, now {new.get(name)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }
