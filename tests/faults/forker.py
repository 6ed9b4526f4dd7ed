"""A process that has imported the package once and forks commands off it.

Each line of standard input asks for a command, each line of the answer tells how it ended. Where it
is asked for, a command is killed, or its input taken away, after some seconds or right before its
nth change to the file system; or it can write no large file, or none at all.
"""

import ctypes
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

CHANGES = frozenset(
    f"os.{name}" for name in ("rename", "remove", "rmdir", "mkdir", "chmod", "link", "truncate")
)
WRITING = os.O_WRONLY | os.O_RDWR
# Linux's CLONE_NEWNS, and MS_BIND, MS_REMOUNT, MS_RDONLY, MS_REC and MS_PRIVATE
NEW_MOUNTS, BIND, REMOUNT, READ_ONLY, ALL, PRIVATE = 1 << 17, 1 << 12, 1 << 5, 1, 1 << 14, 1 << 18
CANNOT_MOUNT = 77
MOST_SAID = 2**20  # bytes that a pipe holds


def count_changes(end: int, act_at: int | None, vanish: str | None) -> None:
    """Count this process's changes to the file system, and tell their number at its end."""
    changes = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if event in CHANGES or (event == "open" and int(arguments[2] or 0) & WRITING):
            changes += 1
            if changes == act_at and vanish is None:
                os.kill(os.getpid(), signal.SIGKILL)
            elif changes == act_at:
                shutil.rmtree(str(vanish))
        elif event == "crosscale.tests.end":
            os.write(end, str(changes).encode())

    sys.addaudithook(watch)


def make_read_only(folder: str) -> None:
    """Let this process see a folder that nobody can write, not even root."""
    libc = ctypes.CDLL(None)
    place = folder.encode()
    done = (
        libc.unshare(NEW_MOUNTS) == 0
        and libc.mount(None, b"/", None, ALL | PRIVATE, None) == 0
        and libc.mount(place, place, None, BIND, None) == 0
        and libc.mount(None, place, None, REMOUNT | BIND | READ_ONLY, None) == 0
    )
    if not done:
        os._exit(CANNOT_MOUNT)


def hinder(request: dict[str, Any]) -> None:
    """Bound what this process can write."""
    if request["read_only"]:
        make_read_only(request["folder"])
    if request["largest_file"] is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], hard))


def run(request: dict[str, Any], end: int, said: int) -> None:
    """The command, in the forked process."""
    from crosscale.cli import main

    os.dup2(said, 1)
    os.dup2(said, 2)
    hinder(request)
    os.chdir(request["folder"])
    count_changes(end, request["change"], request["vanish"])
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
    # Not into a file, which a full disk would cut short.
    hear, say = os.pipe()
    fcntl.fcntl(say, fcntl.F_SETPIPE_SZ, MOST_SAID)
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(read)
        run(request, write, say)
    os.close(write)
    os.close(say)
    ended = select.select([read], [], [], request["seconds"])[0]
    if not ended and request["vanish"] is None:
        os.kill(child, request["signal"])
    elif not ended:
        shutil.rmtree(Path(request["folder"]) / request["vanish"])
    told = os.read(read, 20)
    os.close(read)
    _, status = os.waitpid(child, 0)
    os.set_blocking(hear, False)
    said = os.read(hear, MOST_SAID) if select.select([hear], [], [], 0)[0] else b""
    os.close(hear)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - begun,
        "changes": int(told or 0),
        "said": said.decode(errors="replace")[-2000:],
    }


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    from imported import import_all

    import_all()
    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)
