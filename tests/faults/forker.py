"""A process that has imported the package once and forks commands off it.

Each line of standard input asks for a command, each line of the answer tells how it ended. Where it
is asked for, a command is killed after some seconds, or right before its nth change to the file
system.
"""

import json
import os
import select
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

MODULES = ("data", "evaluate", "predict", "pretrain", "compare", "synth")
LATE = ("sklearn.manifold", "matplotlib.pyplot", "crosscale.data.readers.skeleton_scan")
CHANGES = frozenset(
    f"os.{name}" for name in ("rename", "remove", "rmdir", "mkdir", "chmod", "link", "truncate")
)
WRITING = os.O_WRONLY | os.O_RDWR


def count_changes(end: int, kill_at: int | None) -> None:
    """Count this process's changes to the file system, and tell their number at its end."""
    changes = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if event in CHANGES or (event == "open" and int(arguments[2] or 0) & WRITING):
            changes += 1
            if changes == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        elif event == "crosscale.tests.end":
            os.write(end, str(changes).encode())

    sys.addaudithook(watch)


def run(request: dict[str, Any], end: int) -> None:
    """The command, in the forked process."""
    from crosscale.cli import main

    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(request["folder"])
    count_changes(end, request["change"])
    status = 70
    try:
        status = main(request["arguments"])
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.audit("crosscale.tests.end")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def forked(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, kill or signal when asked to, wait."""
    read, write = os.pipe()
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(read)
        run(request, write)
    os.close(write)
    ended = select.select([read], [], [], request["seconds"])[0]
    if not ended:
        os.kill(child, request["signal"])
    told = os.read(read, 20)
    os.close(read)
    _, status = os.waitpid(child, 0)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - begun,
        "changes": int(told or 0),
        "said": Path(request["log"]).read_text(errors="replace")[-2000:],
    }


if __name__ == "__main__":
    for name in (*(f"crosscale.cli.{module}" for module in MODULES), *LATE):
        import_module(name)
    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)
