"""What is watched while a run trains, and where it is written."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from crosscale.errors import needs
from crosscale.objectives.base import Objective, Output
from crosscale.training.distributed import Team
from crosscale.utils.files import atomic_path

METRICS = "metrics.jsonl"
# Of 57 sound runs on NW-UCLA, UTD-MHAD and synthetic clips, the lowest epochs had 0.013 and 0.11.
# Neither loss nor `instance_acc` tells: with mined positives, sound runs too are at chance by them.
ALIKE, NO_NEARER = 0.0005, 0.01
SOON, LONG = 3, 20  # epochs that show the one and the other; a start may be slow


# What 0.1 called the metrics of a stream.
_RENAMED = MappingProxyType(
    {
        "positive": "pos_sim",
        "negative": "neg_sim",
        "spread": "embedding_std",
        "found": "instance_acc",
        "loss_of_chance": "chance_loss",
    }
)


@dataclass(frozen=True)
class EpochEnd:
    """What callbacks are told after each epoch.

    Attributes:
        epoch: epochs done.
        epochs: of the whole run.
        metrics: by name, `epoch` among them; a callback may add to them.
        clips_per_second: 0 where a resumed epoch had no step left.
        objective: what is trained.
    """

    epoch: int
    epochs: int
    metrics: dict[str, float]
    clips_per_second: float
    objective: Objective


class Callback(Protocol):
    """Something that is called after each epoch, by the first process."""

    def __call__(self, done: EpochEnd) -> None:
        """Look at the epoch that ended."""


class MetricsLog:
    """One line of JSON an epoch, and the same for TensorBoard.

    On resume, lines of epochs that are about to be trained again are taken out.
    """

    def __init__(self, folder: Path, epochs_done: int) -> None:
        with needs("training", extra="train"):
            from torch.utils.tensorboard import SummaryWriter
        path = folder / METRICS
        kept = [row for row in read_metrics(folder) if row["epoch"] <= epochs_done]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))
        self.file = path.open("a")
        self.board = SummaryWriter(str(folder / "tensorboard"))

    def close(self) -> None:
        """Stop writing."""
        self.file.close()
        self.board.close()

    def __call__(self, done: EpochEnd) -> None:
        """Write the metrics of an epoch."""
        self.file.write(json.dumps(done.metrics) + "\n")
        self.file.flush()
        for name, value in done.metrics.items():
            if name != "epoch":
                self.board.add_scalar(name, value, done.epoch)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The measurements of a run, a row an epoch; none where there are none yet."""
    path = folder / METRICS
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return [{current_metric(name): value for name, value in row.items()} for row in rows]


def current_metric(name: str) -> str:
    """What a metric is called now, of 0.1 as well."""
    stream, slash, leaf = name.rpartition("/")
    return f"{stream}{slash}{_RENAMED.get(leaf, leaf)}"


class Sums:
    """Sums over the steps of an epoch. They stay on the device, so that no step waits for it."""

    def __init__(self, begun: Mapping[str, float], device: torch.device) -> None:
        self.names = list(begun)
        self.values = torch.tensor(list(begun.values()), dtype=torch.float64, device=device)
        self.first_bad = torch.full((), torch.inf, device=device)

    def add(self, numbers: Mapping[str, Tensor], step: int, weight: float) -> None:
        """Add the measurements of a step, always of the same names, `loss` among them.

        The weight is that of this process's part of the batch.
        """
        if not self.names:
            self.names = list(numbers)
            self.values = self.values.new_zeros(len(self.names))
        self.values += weight * torch.stack([numbers[name].double() for name in self.names])
        bad = torch.where(numbers["loss"].isfinite(), torch.inf, float(step))
        self.first_bad = torch.minimum(self.first_bad, bad)

    def read(self, team: Team) -> tuple[dict[str, float], int | None]:
        """The sums over all processes, and the first step whose loss was not finite in any."""
        values, first_bad = team.averaged(self.values, self.first_bad)
        bad = float(first_bad)
        sums = dict(zip(self.names, values.tolist(), strict=True))
        return sums, None if bad == float("inf") else int(bad)


def measurements(output: Output, labels: Tensor, clips: Tensor) -> dict[str, Tensor]:
    """Numbers of one step: the loss, the objective's metrics, and how well mining works.

    Args:
        output: of the step.
        labels: (all clips,) labels, −1 where unknown; used for this diagnosis only.
        clips: (N,) numbers of the batch's clips.
    """
    numbers = {"loss": output.loss.detach(), **output.metrics}
    if output.mined is not None:
        mine, past = labels[clips], labels[output.mined.clips.clamp(min=0)]
        known = (output.mined.clips >= 0) & (past >= 0)
        same = (mine.unsqueeze(1) == past) & known & (mine >= 0).unsqueeze(1)
        mined = output.mined.positives * known
        numbers["mined/same_label"] = (mined * same).sum() / mined.sum().clamp(min=1)
    return {name: value.float() for name, value in numbers.items()}


@dataclass
class CollapseAlarm:
    """Says once that a run has collapsed.

    A stream has collapsed when its embeddings are all alike for some epochs in a row, or when for
    long a clip's own key is no nearer to its query than the keys of other clips. An objective
    without `embedding_std`, or without `pos_sim` and `neg_sim`, is not judged by them.

    Attributes:
        dim: length of the embeddings.
        say: is told.
    """

    dim: int
    say: Callable[[str], None]
    _rows: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=LONG))
    _told: bool = False

    def __call__(self, done: EpochEnd) -> None:
        """Look at the metrics of one more epoch."""
        self._rows.append(done.metrics)
        streams = dict.fromkeys(name.rpartition("/")[0] for name in done.metrics if "/" in name)
        signs = {stream: sign for stream in streams if (sign := self._sign(stream))}
        if signs and not self._told:
            self._told = True
            told = "; ".join(f"{stream}: {sign}" for stream, sign in signs.items())
            self.say(
                f"by epoch {done.epoch} the run has collapsed ({told}): stop it, and lower "
                "--optimiser.lr in a new one"
            )

    def _sign(self, stream: str) -> str:
        """What shows that a stream has collapsed; empty when nothing does."""
        spreads = [v * self.dim**0.5 for v in self._values(f"{stream}/embedding_std")][-SOON:]
        if len(spreads) == SOON and max(spreads) < ALIKE:
            return f"all embeddings are alike, deviation {spreads[-1]:.1g} where 1 is even"
        near = self._values(f"{stream}/pos_sim")
        far = self._values(f"{stream}/neg_sim")
        if len(near) == len(far) == LONG:
            own, others = sum(near) / LONG, sum(far) / LONG
            if own - others < NO_NEARER * (1 - others):
                return (
                    f"for {LONG} epochs a clip's own key is no nearer than others', similarities "
                    f"{own:.3f} and {others:.3f}"
                )
        return ""

    def _values(self, name: str) -> list[float]:
        return [row[name] for row in self._rows if name in row]
