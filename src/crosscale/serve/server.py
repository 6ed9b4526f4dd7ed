"""The app on a port of this machine."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from crosscale.errors import CrosscaleError
from crosscale.serve.limits import Limits

CONNECTIONS = 64  # at once; of more, the newest are told to come later
HEADER_BYTES = 2**14


def punctual(seconds: float) -> type[asyncio.Protocol]:
    """A protocol that closes a connection whose first request does not begin in time.

    uvicorn waits for ever for headers, so that a few silent clients would take all connections.

    Args:
        seconds: from the connection, or the answer before, until the headers are there.
    """

    class Punctual(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before or self not in self.connections:
                self._stop_waiting()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._stop_waiting()
            self._late = self.loop.call_later(seconds, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._late is not None:
                self._late.cancel()

    return Punctual


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
            http=punctual(limits.arrival),  # h11, which bounds what comes before a body
            h11_max_incomplete_event_size=HEADER_BYTES,
            ws="websockets-sansio",
            ws_max_size=limits.message,
            limit_concurrency=CONNECTIONS,
            log_level="warning",
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[server])
