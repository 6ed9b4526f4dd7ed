"""JSON lines in and out: of standard input, or of one connection after the other."""

import ipaddress
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from crosscale.errors import CrosscaleError
from crosscale.inference.frames import parse_frame
from crosscale.inference.live import LiveClassifier

LONGEST_LINE = 2**18  # bytes
WAITING = 256  # lines read ahead; further ones wait where they come from

Readline = Callable[[int], bytes]  # at most so many bytes of a line, b"" at the end
Send = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """A line as it came in.

    Attributes:
        number: from 1.
        text: None when it was too long.
        arrived: `time.perf_counter()` when it was read.
    """

    number: int
    text: bytes | None
    arrived: float


def answer_lines(classifier: LiveClassifier, readline: Readline, send: Send) -> None:
    """Answer frames until their end, a JSON line for each answer or wrong line.

    An answer is what `LiveClassifier.push` gives and `delay`: seconds from when the newest frame
    of its window was read until the answer was sent. A wrong line is answered with `line`, its
    number, and `error`; the frames after it count again.

    Args:
        classifier: fresh.
        readline: gives the input.
        send: takes one line, without its end.
    """
    joints = len(classifier.layout.joints)
    for line in _read_ahead(readline):
        if line.text is not None and not line.text.strip():
            continue
        try:
            if line.text is None:
                raise CrosscaleError(f"longer than {LONGEST_LINE:,} bytes")
            answers = classifier.push(parse_frame(line.text, joints))
        except CrosscaleError as error:
            send(json.dumps({"line": line.number, "error": str(error)}, ensure_ascii=False))
            continue
        for answer in answers:
            delay = round(time.perf_counter() - line.arrived, 4)
            send(json.dumps({**answer, "delay": delay}, ensure_ascii=False, allow_nan=False))


def listen(address: str, make: Callable[[], LiveClassifier], tell: Callable[[str], None]) -> None:
    """Answer one connection after the other, until stopped.

    Args:
        address: `127.0.0.1:7000`; port 0 takes a free one.
        make: a fresh classifier for each connection.
        tell: takes a message for the user.

    Raises:
        CrosscaleError: when the address is not on this machine, or is taken.
    """
    host, port = _local(address)
    try:
        server = socket.create_server((host, port))
    except OSError as error:
        raise CrosscaleError(f"cannot listen at {address}: {error.strerror or error}") from error
    with server:
        tell(f"listening at {host}:{server.getsockname()[1]}; stop with Ctrl-C")
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # gone: whoever comes next is answered
                _converse(connection, make())


def _converse(connection: socket.socket, classifier: LiveClassifier) -> None:
    with connection.makefile("rb") as source:
        try:
            answer_lines(
                classifier,
                source.readline,
                lambda line: connection.sendall(f"{line}\n".encode()),
            )
        finally:  # else the file could not be closed while it is waited for
            connection.shutdown(socket.SHUT_RDWR)


def _local(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        local = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        local = False
    if not (colon and port.isdecimal() and int(port) < 2**16 and local):
        raise CrosscaleError(
            f"'{address}' is no local address: frames show people, so say 127.0.0.1:PORT"
        )
    return host, int(port)


def _read_ahead(readline: Readline) -> Iterator[Line]:
    """Lines read by another thread, so that the time of their arrival is known."""
    waiting: queue.Queue[Line | None] = queue.Queue(WAITING)

    def read() -> None:
        with suppress(OSError):  # the other side is gone
            for line in _lines(readline):
                waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := waiting.get()) is not None:
        yield line


def _lines(readline: Readline) -> Iterator[Line]:
    for number in count(1):
        text = rest = readline(LONGEST_LINE + 1)
        if not text:
            return
        arrived = time.perf_counter()
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = readline(LONGEST_LINE + 1)
        yield Line(number, text if rest is text else None, arrived)
