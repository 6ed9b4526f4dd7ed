"""JSON lines in and out: of standard input, or of one connection after the other."""

import ipaddress
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crosscale.errors import CrosscaleError
from crosscale.inference.frames import parse_frame
from crosscale.inference.live import LiveClassifier

LONGEST_LINE = 2**18  # bytes
WAITING = 256  # lines read ahead; further ones wait where they come from
_AT_ONCE = 2**16

Receive = Callable[[], bytes]  # some bytes as soon as there are any, b"" at the end
Send = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """A line as it came in.

    Attributes:
        number: from 1.
        text: without the line's end; None when it was too long.
        arrived: `time.perf_counter()` when it was read.
    """

    number: int
    text: bytes | None
    arrived: float


def answer_lines(classifier: LiveClassifier, receive: Receive, send: Send) -> None:
    """Answer frames until their end, a JSON line for each answer or wrong line.

    An answer is what `LiveClassifier.push` gives and `delay`: seconds from when the newest frame
    of its window was read until the answer was sent. A wrong line is answered with `line`, its
    number, and `error`; the frames after it count again.

    Args:
        classifier: fresh.
        receive: gives the input.
        send: takes one line, without its end.
    """
    joints = len(classifier.layout.joints)
    for line in _read_ahead(receive):
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
            with connection:
                _converse(connection, make())


def _converse(connection: socket.socket, classifier: LiveClassifier) -> None:
    def receive() -> bytes:
        try:
            return connection.recv(_AT_ONCE)
        except OSError:  # the other side is gone
            return b""

    try:
        answer_lines(classifier, receive, lambda line: connection.sendall(f"{line}\n".encode()))
    except OSError:
        return  # gone: whoever comes next is answered


def _local(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        local = ipaddress.ip_address(host).is_loopback and ipaddress.ip_address(host).version == 4
    except ValueError:
        local = False
    if not (colon and port.isdecimal() and int(port) < 2**16 and local):
        raise CrosscaleError(
            f"'{address}' is no local address: frames show people, so say 127.0.0.1:PORT"
        )
    return host, int(port)


def _read_ahead(receive: Receive) -> Iterator[Line]:
    """Lines read by another thread, so that the time of their arrival is known."""
    waiting: queue.Queue[Line | None] = queue.Queue(WAITING)

    def read() -> None:
        for line in _lines(receive):
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := waiting.get()) is not None:
        yield line


def _lines(receive: Receive) -> Iterator[Line]:
    number, rest, too_long = 1, b"", False
    while data := receive():
        arrived = time.perf_counter()
        *whole, rest = (rest + data).split(b"\n")
        for text in whole:
            too_long |= len(text) > LONGEST_LINE
            yield Line(number, None if too_long else text, arrived)
            number, too_long = number + 1, False
        if len(rest) > LONGEST_LINE:
            rest, too_long = b"", True
    if rest or too_long:
        yield Line(number, None if too_long else rest, time.perf_counter())
