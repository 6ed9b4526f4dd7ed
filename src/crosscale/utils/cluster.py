"""Work shared out over the machines of a Ray cluster: its results in order, each once.

Source: Ray Data (Moritz et al., "Ray", OSDI 2018). What a worker that died had not given back is
given to another one, so a result must follow from its piece of work alone.
"""

import importlib
import logging
import os
import re
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from crosscale.errors import CrosscaleError, needs
from crosscale.utils.quiet import compiled_parts_muted

ANSWER = 5.0  # seconds for a cluster to answer in; Ray itself would try for many minutes
# Ray tells of itself otherwise, at home and on the terminal; and where a thread of its own is late,
# it starts a second cluster, by which the process ends.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_AUTO_CONNECT": "0",
}

Worker = Callable[[Any], Any]


def over_cluster(
    worker: Callable[..., Worker],
    arguments: tuple[Any, ...],
    pieces: Sequence[Any],
    *,
    on_gpus: bool = False,
) -> Generator[Any, None, None]:
    """The results of all pieces of work, in their order, whichever process finishes first.

    The cluster is the one that `RAY_ADDRESS` names, else one that is started on this machine for
    as long as it takes.

    Args:
        worker: a class, made once in each process of the cluster, then called piece by piece.
        arguments: it is made with; they travel to each process.
        pieces: what it is called with, one after the other.
        on_gpus: one process for each GPU of the cluster, not for each core.

    Raises:
        CrosscaleError: when Ray is not installed, or the cluster cannot be reached or has nothing
            to work on; and what a worker raises.
    """
    if not pieces:
        return
    with _cluster() as ray:
        resource = "GPU" if on_gpus else "CPU"
        count = int(ray.cluster_resources().get(resource, 0))
        if count < 1:
            raise CrosscaleError(f"the Ray cluster has no {resource}s to work on")
        rows = [{"piece": (piece,)} for piece in pieces]  # in a tuple Ray leaves it as it is
        work = ray.data.from_items(rows, override_num_blocks=len(rows))
        results = work.map(
            _Guarded,
            fn_constructor_args=(worker, arguments),
            compute=ray.data.ActorPoolStrategy(size=min(count, len(rows))),
            num_cpus=0 if on_gpus else 1,
            num_gpus=1 if on_gpus else 0,
        )
        # Fetched ahead of time, they come through a thread that may outlive the cluster.
        for batch in results.iter_batches(batch_size=None, prefetch_batches=0):
            for (result,) in batch["result"]:
                if isinstance(result, CrosscaleError):
                    raise result
                yield result


class _Guarded:
    """A worker whose errors come back as values; raised there, they would arrive in Ray's own."""

    def __init__(self, worker: Callable[..., Worker], arguments: tuple[Any, ...]) -> None:
        self._worker: Worker | CrosscaleError
        try:
            self._worker = worker(*arguments)
        except CrosscaleError as error:
            self._worker = error

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with a piece of work to one with its result, in a tuple, or with an error."""
        if isinstance(self._worker, CrosscaleError):
            return {"result": (self._worker,)}
        try:
            return {"result": (self._worker(row["piece"][0]),)}
        except CrosscaleError as error:
            return {"result": (error,)}


def _see_that_it_answers(address: str) -> None:
    found = re.fullmatch(r"(?:ray://)?([^/:]+):(\d+)", address)
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), ANSWER).close()
    except OSError as error:
        raise CrosscaleError(
            f"the Ray cluster at RAY_ADDRESS={address} does not answer ({error}); unset it to work "
            "on this machine alone"
        ) from error


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, connected."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with needs("--runner ray", extra="ray"):
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    address = os.environ.get("RAY_ADDRESS")
    _see_that_it_answers(address or "")
    own = {} if address else {"include_dashboard": False}
    try:
        with compiled_parts_muted():
            ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # which Ray raises as such where it starts too slowly
        where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise CrosscaleError(
            f"{where} cannot be had: {told}; if the machine is busy, try again, and if it asks for "
            "a token, set RAY_AUTH_MODE=token"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()
