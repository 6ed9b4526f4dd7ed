"""What is watched while a run trains, and where it is written."""

import json
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils.tensorboard.summary import scalar

from crosscale.models.features import embed_stream
from crosscale.objectives.moco import MomentumContrast, Outcome
from crosscale.training.distributed import Team
from crosscale.transforms.preprocess import ClipSource
from crosscale.utils.files import atomic_path

METRICS = "metrics.jsonl"
CHUNK = 1024  # clips in memory at once
# Of 57 sound runs on NW-UCLA, UTD-MHAD and synthetic clips, the lowest epochs had 0.013 and 0.11.
# Neither loss nor `found` tells: with mined positives, sound runs too are at chance by them.
ALIKE, NO_NEARER = 0.0005, 0.01
SOON, LONG = 3, 20  # epochs that show the one and the other; a start may be slow


class MetricsLog:
    """One line of JSON an epoch, and the same for TensorBoard.

    On resume, lines of epochs that are about to be trained again are taken out.
    """

    def __init__(self, folder: Path, epochs_done: int) -> None:
        path = folder / METRICS
        kept = [row for row in read_metrics(folder) if row["epoch"] <= epochs_done]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))
        self.file = path.open("a")
        self.board = EventFileWriter(str(folder / "tensorboard"))

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()
        self.board.close()

    def write(self, row: Mapping[str, float]) -> None:
        """Write the measurements of one epoch (`epoch` among them)."""
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        for name, value in row.items():
            if name != "epoch":
                self._to_board(name, value, int(row["epoch"]))

    def _to_board(self, name: str, value: float, epoch: int) -> None:
        self.board.add_event(Event(step=epoch, summary=scalar(name, value)))


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The measurements of a run, a row an epoch; none where there are none yet."""
    path = folder / METRICS
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


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


def measurements(outcome: Outcome, labels: Tensor, clips: Tensor) -> dict[str, Tensor]:
    """Numbers of one step: the loss, what tells a collapse, and how well mining works.

    Args:
        outcome: of the step.
        labels: (all clips,) labels, −1 where unknown; used for this diagnosis only.
        clips: (N,) numbers of the batch's clips.
    """
    numbers = {"loss": outcome.loss.detach(), **outcome.watch}
    if outcome.mined:
        mine, past = labels[clips], labels[outcome.negatives.clamp(min=0)]
        known = (outcome.negatives >= 0) & (past >= 0)
        same = (mine.unsqueeze(1) == past) & known & (mine >= 0).unsqueeze(1)
        mined = torch.stack(outcome.mined).amax(dim=0) * known
        numbers["mined/same_label"] = (mined * same).sum() / mined.sum().clamp(min=1)
    return {name: value.float() for name, value in numbers.items()}


@dataclass
class CollapseAlarm:
    """Says once that a run has collapsed.

    A stream has collapsed when its embeddings are all alike for some epochs in a row, or when for
    long a clip's own key is no nearer to its query than the keys of other clips.

    Attributes:
        features: length of the embeddings.
        say: is told.
    """

    features: int
    say: Callable[[str], None]
    _rows: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=LONG))
    _told: bool = False

    def __call__(self, row: Mapping[str, float]) -> None:
        """Look at the measurements of one more epoch."""
        self._rows.append(row)
        streams = [name.removesuffix("/spread") for name in row if name.endswith("/spread")]
        signs = {stream: sign for stream in streams if (sign := self._sign(stream))}
        if signs and not self._told:
            self._told = True
            told = "; ".join(f"{stream}: {sign}" for stream, sign in signs.items())
            self.say(
                f"by epoch {row['epoch']} the run has collapsed ({told}): stop it, and lower "
                "--optimisation.learning_rate in a new one"
            )

    def _sign(self, stream: str) -> str:
        """What shows that a stream has collapsed; empty when nothing does."""
        spreads = [row[f"{stream}/spread"] * math.sqrt(self.features) for row in self._rows][-SOON:]
        if len(spreads) == SOON and max(spreads) < ALIKE:
            return f"all embeddings are alike, spread {spreads[-1]:.1g} where 1 is even"
        own, others, loss, chance = (
            sum(row[name] for row in self._rows) / len(self._rows)
            for name in (
                f"{stream}/positive",
                f"{stream}/negative",
                f"{stream}/loss",
                "loss_of_chance",
            )
        )
        if len(self._rows) == LONG and own - others < NO_NEARER * (1 - others):
            return (
                f"for {LONG} epochs a clip's own key is no nearer than others', similarities "
                f"{own:.3f} and {others:.3f}, loss {loss:.2f} where chance is {chance:.2f}"
            )
        return ""


class NeighbourProbe:
    """Nearest-neighbour accuracy among the training clips, never looking at test clips.

    The training part is cut in two by what the protocol keeps apart (cameras, subjects, setups);
    one half is classified by the other.
    """

    def __init__(
        self, clips: ClipSource, known: np.ndarray, asked: np.ndarray, labels: np.ndarray
    ) -> None:
        """Take note of the halves: numbers of the clips of each, and labels of all (N,)."""
        self.clips, self.known, self.asked = clips, known, asked
        self.known_y, self.asked_y = labels[known], labels[asked]

    def __call__(self, method: MomentumContrast) -> dict[str, float]:
        """Top-1 of each stream, between 0 and 1."""
        result = {}
        for (name, encoder), transform in zip(
            method.encoders().items(), method.transforms, strict=True
        ):
            known, asked = (
                torch.cat(
                    [
                        embed_stream(encoder, transform, self.clips.take(some)).cpu()
                        for some in torch.from_numpy(half).split(CHUNK)
                    ]
                )
                for half in (self.known, self.asked)
            )
            known = normalize(known)  # the order among them is that of the cosine
            nearest = torch.cat([(part @ known.T).argmax(dim=1) for part in asked.split(CHUNK)])
            found = self.known_y[nearest.numpy()]
            result[f"{name}/knn"] = float((found == self.asked_y).mean())
        return result
