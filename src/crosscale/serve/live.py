"""`/api/live`: frames of people in, what they do out, over a WebSocket."""

import time
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from crosscale.errors import CrosscaleError
from crosscale.inference.frames import parse_frame
from crosscale.inference.live import LiveClassifier
from crosscale.serve.service import Service

# WebSocket's codes
UNREADABLE, FORBIDDEN, TRY_LATER = 1003, 1008, 1013


@dataclass
class Live:
    """Answers connections; each has its own memory of people.

    A message in is a line of `crosscale live`, a message out is one too: an answer, or
    `{"line": 3, "error": "..."}` with the number of the message that was wrong.

    Attributes:
        service: names people.
        connections: open now.
    """

    service: Service
    connections: int = 0

    async def answer(self, socket: WebSocket, layout: str) -> None:
        """Answer one connection until it ends."""
        await socket.accept()
        if self.connections >= self.service.limits.connections:
            await _close(socket, TRY_LATER, "too many are live: try again later")
            return
        self.connections += 1
        try:
            await self._converse(socket, self.service.classifier(layout))
        except CrosscaleError as error:
            await _close(socket, FORBIDDEN, str(error))
        except WebSocketDisconnect:
            pass
        finally:
            self.connections -= 1

    async def _converse(self, socket: WebSocket, classifier: LiveClassifier) -> None:
        number = wrong = 0
        while wrong <= self.service.limits.wrong:
            text = await _text(socket)
            number += 1
            arrived = time.perf_counter()
            try:
                if len(text) > self.service.limits.message:
                    raise CrosscaleError(f"longer than {self.service.limits.message:,} bytes")
                answers = await run_in_threadpool(self._answers, classifier, text)
            except CrosscaleError as error:
                wrong += 1
                await socket.send_json({"line": number, "error": str(error)})
                continue
            delay = round(time.perf_counter() - arrived, 4)
            for one in answers:
                await socket.send_json({**one, "delay": delay})
        await _close(socket, UNREADABLE, f"more than {wrong - 1} wrong messages")

    def _answers(self, classifier: LiveClassifier, text: str) -> list[dict[str, Any]]:
        frame = parse_frame(text, len(classifier.layout.joints))
        with self.service.turn:
            return classifier.push(frame)


async def _text(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text: str | None = message.get("text")
    return (message.get("bytes") or b"").decode(errors="replace") if text is None else text


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    await socket.send_json({"error": reason})
    await socket.close(code)
