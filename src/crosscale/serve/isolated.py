"""One function call in a process of its own, with bounds on its time and memory."""

import multiprocessing
import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from crosscale.errors import CrosscaleError

LARGEST_FILE = 2**29  # bytes that the process may write into one file
_WORDS = 200  # letters of an unforeseen fault that are told


@dataclass
class Isolated:
    """Calls functions on what strangers sent; whatever happens there, this process goes on.

    Calls are forked from a helper process that has loaded the modules before, which takes
    milliseconds. Each call has a fresh process, so nothing is left of one when the next comes.

    Attributes:
        seconds: that a call may take.
        memory: bytes that it may take beside what is loaded already.
        preload: modules that calls need.
    """

    seconds: float
    memory: int
    preload: Sequence[str] = ()

    def __post_init__(self) -> None:
        # Arrow's own allocator would set a gigabyte of addresses aside, which counts as memory.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*self.preload])
        forkserver.ensure_running()  # it loads them now, and not while the first caller waits

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function gives.

        Args:
            function: of a module.
            arguments: its own.

        Raises:
            CrosscaleError: that it raised; or when it took too long, took too much memory, or
                failed in another way.
        """
        receive, send = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_answer, args=(send, self.seconds, self.memory, function, arguments), daemon=True
        )
        process.start()
        send.close()
        try:
            if not receive.poll(self.seconds):
                raise CrosscaleError(f"takes longer than {self.seconds:g} seconds to read")
            fault, value = receive.recv()
        except EOFError:
            raise CrosscaleError("cannot be read: reading it broke off") from None
        finally:
            process.kill()
            process.join()
            receive.close()
        if fault:
            raise CrosscaleError(fault)
        return value


def _answer(
    send: Connection,
    seconds: float,
    memory: int,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    fault, value = "", None
    try:
        _bound(seconds, memory)
        value = function(*arguments)
    except CrosscaleError as error:
        fault = str(error)
    except MemoryError:
        fault = f"takes more than {memory / 2**20:,.0f} MB of memory to read"
    except Exception as error:  # a parser met what nobody foresaw: the upload is at fault
        said = str(error).partition("\n")[0]
        fault = f"cannot be read ({type(error).__name__}: {said:.{_WORDS}})"
    send.send((fault, value))


def _bound(seconds: float, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    whole = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            loaded = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # only Linux tells, and only there is the bound kept
        return
    resource.setrlimit(resource.RLIMIT_AS, (loaded + memory, loaded + memory))
