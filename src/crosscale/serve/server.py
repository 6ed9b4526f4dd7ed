"""The app on a port of this machine."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from crosscale.errors import CrosscaleError
from crosscale.serve.limits import Limits

CONNECTIONS = 64  # at once; of more, the newest are told to come later
HEADER_BYTES = 2**14


def listen(
    app: ASGIApp, host: str, port: int, limits: Limits, ready: Callable[[str], None]
) -> None:
    """Serve until stopped.

    Args:
        app: the app.
        host: to listen at.
        port: 0 takes a free one.
        limits: of messages.
        ready: is told the address of the page.

    Raises:
        CrosscaleError: when the address is not to be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family)
    except OSError as error:
        raise CrosscaleError(
            f"cannot listen at {host}:{port}: {error.strerror or error}"
        ) from error
    with server:
        ready(f"http://{f'[{host}]' if ':' in host else host}:{server.getsockname()[1]}/")
        config = uvicorn.Config(
            app,
            http="h11",  # bounds what a request may send before its body
            h11_max_incomplete_event_size=HEADER_BYTES,
            ws="websockets-sansio",
            ws_max_size=limits.message,
            limit_concurrency=CONNECTIONS,
            log_level="warning",
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[server])
