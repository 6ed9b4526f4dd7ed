"""What every request must pass before anything looks at it, and what every answer carries."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from crosscale.serve.limits import Limits

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
# Everything from this server, nothing from elsewhere. The pose estimator is WebAssembly.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
FORBIDDEN = 1008  # WebSocket's code for a policy that is broken


@dataclass
class Guard:
    """Refuses requests of other sites, and those that are too large or too many.

    A page of another site cannot read answers, since there is no CORS; but it could send, and a
    name of its own that it lets point here (DNS rebinding) would make it the same site. So the
    host must be this machine by its loopback names, or, where the server listens to others, an
    address in numbers or the name it was told to listen at; and the origin, if there is one, must
    be that host.

    Attributes:
        app: what is guarded.
        limits: of requests.
        host: listened at; None for loopback only.
        busy: requests with a body under way.
    """

    app: ASGIApp
    limits: Limits
    host: str | None = None
    busy: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if scope["type"] == "websocket":
            guarded = WebSocketClose(FORBIDDEN, refusal[1][:100]) if refusal else self.app
            await guarded(scope, receive, send)
            return
        takes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if takes and self.busy >= self.limits.requests:
            refusal = refusal or (503, "too much to do: try again soon")
        if refusal:
            status, reason = refusal
            refused = JSONResponse({"error": reason}, status, {"connection": "close"})
            await refused(scope, receive, _with_headers(send))
            return
        self.busy += takes
        try:
            await self.app(scope, _bounded(receive, self.limits), _with_headers(send))
        finally:
            self.busy -= takes

    def _refusal(self, headers: Headers) -> tuple[int, str] | None:
        """Status and reason, where a request goes no further."""
        if len(headers) > self.limits.headers:
            return 431, f"more than {self.limits.headers} headers"
        for name in ("host", "origin", "content-length"):
            if len(headers.getlist(name)) > 1:
                return 400, f"more than one header {name}"
        host, length = headers.get("host", ""), headers.get("content-length", "0")
        if not self._ours(host):
            return 421, f"this server is not '{host[:60]}'"
        if headers.get("origin", f"://{host}").partition("://")[2] != host:
            return 403, "pages of other sites may not use this server"
        if not (length.isascii() and length.isdecimal()):
            return 400, "content-length is no number"
        if len(length) > 15 or int(length) > self.limits.upload:
            return 413, _too_large(self.limits.upload)
        return None

    def _ours(self, host: str) -> bool:
        name = host.lower()
        if not name.endswith("]"):
            head, colon, port = name.rpartition(":")
            name = head if colon and port.isdecimal() else name
        if name in LOOPBACK:
            return True
        return self.host is not None and (name == self.host.lower() or _is_address(name))


def is_loopback(host: str) -> bool:
    """Whether an address to listen at is this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _too_large(most: int) -> str:
    return f"the upload is too large: send at most {most / 2**20:g} MB"


def _bounded(receive: Receive, limits: Limits) -> Callable[[], Awaitable[Message]]:
    """What comes of a request, while its body is neither too large nor too slow."""
    taken, whole = 0, False
    end = asyncio.get_running_loop().time() + limits.arrival

    async def bounded() -> Message:
        nonlocal taken, whole
        if whole:  # what is left to come is that the client has gone
            return await receive()
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                408,
                f"the upload took longer than {limits.arrival:g} seconds",
                {"connection": "close"},
            ) from None
        whole = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > limits.upload:
            raise HTTPException(413, _too_large(limits.upload))
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return sent
