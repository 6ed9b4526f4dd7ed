"""Processes that train one run together: who does what, and what they must agree on.

Each process sees its own part of every batch. Keys are gathered before they enter the queue, so all
queues are equal; only the first process reads and writes the run folder.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from crosscale.augment.random import Part
from crosscale.errors import CrosscaleError, needs
from crosscale.training.recipe import Precision
from crosscale.utils.devices import usable

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")
AUTO = "auto"  # the device that is fastest here


def team_fabric(precision: Precision, device: str, processes: int = 1, nodes: int = 1) -> "Fabric":
    """Launch the processes of a run.

    Args:
        precision: of the encoders' arithmetic.
        device: auto, cpu, cuda, cuda:NUMBER for one process, or mps.
        processes: on this machine; torchrun says itself how many it started.
        nodes: machines; likewise.

    Raises:
        CrosscaleError: when there is no such device, or there cannot be so many processes.
    """
    with needs("training", extra="train"):
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
        from lightning_fabric.utilities.exceptions import MisconfigurationException
    if distributed.is_torchelastic_launched():
        processes = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // processes
    if processes < 1 or nodes < 1:
        raise CrosscaleError(f"processes and nodes must be 1 or more, not {processes} and {nodes}")
    where = None if device == AUTO else usable(device)
    devices: int | list[int] = processes
    if where and where.index is not None and where.type != "cpu":
        if processes * nodes > 1:
            raise CrosscaleError(f"{device} is one device: say {where.type} for several processes")
        devices = [where.index]
    # Not every PyTorch that is allowed knows the new name; strides are no user's concern.
    for told in ("`broadcast_buffers` is deprecated", "Grad strides do not match"):
        warnings.filterwarnings("ignore", told)
    # The queue and the statistics are kept equal by what goes into them.
    together = DDPStrategy(broadcast_buffers=False) if processes * nodes > 1 else "auto"
    try:
        fabric = Fabric(
            accelerator=where.type if where else AUTO,
            devices=devices,
            num_nodes=nodes,
            strategy=together,
            precision=precision,
        )
    except MisconfigurationException as error:
        raise CrosscaleError(f"{processes} processes on {device}: {error}") from error
    fabric.launch()
    return fabric


class Team:
    """The processes of a run, seen from one of them; alone, everything is as without it."""

    def __init__(self, fabric: "Fabric") -> None:
        self.world_size = fabric.world_size
        self.rank = fabric.global_rank
        self.device = fabric.device
        # Apart from the device's own, so that agreeing does not make it wait.
        self.control = distributed.new_group(backend="gloo") if self.world_size > 1 else None

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    def part(self, clips: int, order: Tensor | None = None) -> Part:
        """This process's part of a batch.

        Args:
            clips: of the whole batch.
            order: (clips,) a permutation of which it is a part; the batch's own order without.
        """
        rows = torch.arange(clips) if order is None else order
        return Part(rows.tensor_split(self.world_size)[self.rank].to(self.device), clips)

    def weight(self, part: Part) -> float:
        """What the mean over a part counts in a mean over processes: each clip the same."""
        return len(part.rows) * self.world_size / part.of

    def gather(self, own: Tensor, clips: int) -> Tensor:
        """(B, n, D) of every process to (B, clips, D), in the order of the processes."""
        longest = -(-clips // self.world_size)
        padded = own.new_zeros(own.shape[0], longest, *own.shape[2:])
        padded[:, : own.shape[1]] = own
        parts = [torch.empty_like(padded) for _ in range(self.world_size)]
        distributed.all_gather(parts, padded)
        lengths = [len(rows) for rows in torch.arange(clips).tensor_split(self.world_size)]
        return torch.cat([p[:, :n] for p, n in zip(parts, lengths, strict=True)], dim=1)

    def any(self, asked: bool) -> bool:
        """Whether it is so in any process."""
        if self.control is None:
            return asked
        found = torch.tensor(int(asked))
        distributed.all_reduce(found, distributed.ReduceOp.MAX, group=self.control)
        return bool(found)

    def first(self, act: Callable[[], T]) -> T:
        """What the first process's act returns, for all of them.

        Raises:
            CrosscaleError: in all of them, when it does so there.
        """
        if self.control is None:
            return act()
        told: list[Any] = [None, None]
        own: Exception | None = None
        if self.is_first:
            try:
                told[0] = act()
            except CrosscaleError as error:
                own = told[1] = error
            except Exception as error:
                own, told[1] = error, CrosscaleError(f"the first process failed: {error}")
        distributed.broadcast_object_list(told, src=0, group=self.control)
        result, failure = told
        if failure is not None:
            raise own or failure
        return cast(T, result)

    def averaged(self, sums: Tensor, first_bad: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of measurements as one process would have them, and the first bad step of any."""
        if self.world_size > 1:
            sums, first_bad = sums.clone(), first_bad.clone()
            distributed.all_reduce(sums)
            distributed.all_reduce(first_bad, distributed.ReduceOp.MIN)
            sums = sums / self.world_size
        return sums, first_bad

    def share(self, objective: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Give every process the first one's weights, buffers and state of the optimiser."""
        if self.control is None:
            return
        for tensor in objective.state_dict().values():
            distributed.broadcast(tensor, src=0)
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        kept = self.first(
            lambda: (
                [{k: v.shape for k, v in optimiser.state[p].items()} for p in parameters]
                if optimiser.state
                else []
            )
        )
        for parameter, shapes in zip(parameters, kept, strict=False):
            for key, shape in shapes.items():
                own = optimiser.state[parameter]
                # What has no length, such as a step's number, stays on the host.
                where = parameter.device if shape else torch.device("cpu")
                own.setdefault(key, torch.zeros(shape, dtype=torch.float32, device=where))
                distributed.broadcast(own[key], src=0, group=None if shape else self.control)

    def check(self, named: Mapping[str, Tensor]) -> None:
        """See that tensors are the same in every process, bit for bit.

        Raises:
            CrosscaleError: naming the first that differs.
        """
        if self.control is None:
            return
        own = [_digest(tensor) for tensor in named.values()]
        seen: list[list[str]] = [[] for _ in range(self.world_size)]
        distributed.all_gather_object(seen, own, group=self.control)
        for name, digests in zip(named, zip(*seen, strict=True), strict=True):
            if len(set(digests)) > 1:
                raise CrosscaleError(
                    f"the processes no longer have the same {name}; --resume from the last "
                    "checkpoint, and see that all machines have the same software"
                )


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
