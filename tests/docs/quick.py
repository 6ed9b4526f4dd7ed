"""A program `crosscale` that need not import the package: each call is forked off one process.

As a script, that process: it takes arguments, folder, environment and the standard streams of each
call from a socket, and gives back how the command ended.
"""

import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CALL = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
    line.connect({address!r})
    called = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [called], [0, 1, 2])
    sys.exit(int(line.recv(9)))
"""
MOST = 2**17  # bytes of a call


@contextmanager
def program(folder: Path) -> Iterator[Path]:
    """The program, in a folder, for as long as it is used."""
    address = folder / "socket"
    command = [sys.executable, __file__, str(address)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        written = folder / "crosscale"
        written.write_text(CALL.format(python=sys.executable, address=str(address)))
        written.chmod(0o755)
        yield written
        process.kill()


def _run(call: socket.socket) -> int:
    """The command of a call, in a process of its own; its status."""
    from crosscale.cli import main

    told, streams, *_ = socket.recv_fds(call, MOST, 3)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    arguments, folder, environment = json.loads(told)
    for own, given in enumerate(streams):
        os.dup2(given, own)
        os.close(given)
    call.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    status = 70
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve(address: str) -> None:
    """Fork a process that waits for each call's command, as those of a pipe run together."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            call, _ = listening.accept()
            if os.fork() == 0:
                call.send(str(_run(call)).encode())
                os._exit(0)
            call.close()


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    from imported import import_all

    import_all()
    _serve(sys.argv[1])
