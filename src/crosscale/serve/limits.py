"""How much a request may cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of what the server takes in and does at once.

    Attributes:
        upload: bytes of a request.
        files: of an upload.
        unpacked: bytes of the arrays in an `npz` file.
        clips: of an upload.
        frames: of all clips of an upload together.
        people: of a clip.
        joints: of a person.
        seconds: that reading an upload may take.
        memory: bytes that reading an upload may take.
        headers: of a request.
        arrival: seconds from the connection, or the request before, until a request's headers are
            there; and from then until its body is.
        requests: with an upload, under way at once; each waits for its turn to be computed.
        connections: of `/api/live` at once.
        message: bytes of a message to `/api/live`.
        wrong: messages to `/api/live` that cannot be read, until the connection is closed.
    """

    upload: int = 32 * 2**20
    files: int = 1000
    unpacked: int = 128 * 2**20
    clips: int = 100
    frames: int = 20_000
    people: int = 8
    joints: int = 200
    seconds: float = 30.0
    memory: int = 2**30
    headers: int = 64
    arrival: float = 20.0
    requests: int = 8
    connections: int = 4
    message: int = 2**17
    wrong: int = 100
