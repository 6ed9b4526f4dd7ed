"""The whole state of a run in one file, written atomically, resumed bit for bit.

All that is random is drawn from (seed, step), so no generator's state needs keeping.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from crosscale.errors import BadCheckpoint
from crosscale.models.published import load_whole
from crosscale.training.callbacks import current_metric
from crosscale.utils.tensors import read_safetensors, write_safetensors

FORMAT = "crosscale checkpoint 2"
OLD_FORMAT = "crosscale checkpoint 1"
LAST = Path("checkpoints") / "last.safetensors"
_MODEL, _OPTIMISER, _OLD_MOMENTUM = "model/", "optimiser/", "momentum/"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: epochs finished.
        step: steps finished in the epoch under way.
        sums: sums of the epoch's measurements so far.
        start: fingerprint of the encoders that the run began from, if there were any.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    start: str | None = None


def save(
    folder: Path,
    objective: nn.Module,
    optimiser: Optimizer,
    progress: Progress,
    recipe: dict[str, Any],
) -> None:
    """Write weights, statistics, queue, optimiser and place in one atomic step."""
    tensors = {_MODEL + k: v.detach().cpu().clone() for k, v in objective.state_dict().items()}
    numbers: dict[str, dict[str, Any]] = {}
    for name, parameter in objective.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            if torch.is_tensor(value):
                tensors[f"{_OPTIMISER}{key}/{name}"] = value.detach().cpu().clone()
            elif value is not None:
                numbers.setdefault(key, {})[name] = value
    facts = {
        "format": FORMAT,
        "progress": vars(progress),
        "optimiser": numbers,
        "recipe": recipe,
    }
    write_safetensors(folder / LAST, tensors, facts)


def restore(folder: Path, objective: nn.Module, optimiser: Optimizer) -> Progress:
    """Load a checkpoint whole; returns where the run stood.

    Raises:
        BadCheckpoint: naming what is missing or unexpected, or that the file is damaged.
    """
    path = folder / LAST
    tensors, facts = read_safetensors(path, FORMAT, OLD_FORMAT)
    load_whole(objective, _below(tensors, _MODEL), str(path))
    parameters = dict(objective.named_parameters())
    kept = _below(tensors, _OPTIMISER)
    if facts["format"] == OLD_FORMAT:
        old = _below(tensors, _OLD_MOMENTUM)
        kept = {f"momentum_buffer/{name}": buffer for name, buffer in old.items()}
    values: dict[tuple[str, str], Any] = {}
    for place, value in kept.items():
        key, _, name = place.partition("/")
        values[key, name] = value
    for key, of in facts.get("optimiser", {}).items():
        values |= {(key, name): value for name, value in of.items()}
    if strangers := sorted({name for _, name in values} - set(parameters)):
        raise BadCheckpoint(f"{path} is of an optimiser of other weights: {', '.join(strangers)}")
    for (key, name), value in values.items():
        # A step's number stays where optimisers keep it, on the host.
        if torch.is_tensor(value) and value.dim():
            value = value.to(parameters[name].device)
        optimiser.state[parameters[name]][key] = value
    progress = Progress(**facts["progress"])
    progress.sums = {current_metric(name): total for name, total in progress.sums.items()}
    return progress


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
