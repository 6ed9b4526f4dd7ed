"""The whole state of a run in one file, written atomically, resumed bit for bit.

All that is random is drawn from (seed, step), so no generator's state needs keeping.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crosscale.errors import BadCheckpoint
from crosscale.models.published import load_whole
from crosscale.utils.tensors import read_safetensors, write_safetensors

FORMAT = "crosscale checkpoint 1"
LAST = Path("checkpoints") / "last.safetensors"
_MODEL, _MOMENTUM = "model/", "momentum/"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: epochs finished.
        step: steps finished in the epoch under way.
        sums: sums of the epoch's measurements so far.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)


def save(
    folder: Path,
    method: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    recipe: dict[str, Any],
) -> None:
    """Write weights, statistics, queue, optimiser and place in one atomic step."""
    tensors = {_MODEL + k: v.detach().cpu().clone() for k, v in method.state_dict().items()}
    for name, parameter in method.named_parameters():
        buffer = optimiser.state.get(parameter, {}).get("momentum_buffer")
        if buffer is not None:
            tensors[_MOMENTUM + name] = buffer.detach().cpu().clone()
    facts = {"format": FORMAT, "progress": vars(progress), "recipe": recipe}
    write_safetensors(folder / LAST, tensors, facts)


def restore(
    folder: Path, method: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Any]]:
    """Load a checkpoint whole; returns where the run stood and its recipe.

    Raises:
        BadCheckpoint: naming what is missing or unexpected, or that the file is damaged.
    """
    path = folder / LAST
    tensors, facts = read_safetensors(path, FORMAT)
    load_whole(method, _below(tensors, _MODEL), str(path))
    parameters = dict(method.named_parameters())
    momenta = _below(tensors, _MOMENTUM)
    if strangers := sorted(set(momenta) - set(parameters)):
        raise BadCheckpoint(f"{path} holds momenta of unknown weights: {', '.join(strangers)}")
    for name, buffer in momenta.items():
        optimiser.state[parameters[name]]["momentum_buffer"] = buffer.to(parameters[name].device)
    return Progress(**facts["progress"]), facts["recipe"]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
