"""A model provider that answers at once: chat completions (whole and streamed) and embeddings.

It counts the calls it served (`GET /count`), so that a run can prove that hits never reached it and
that pass-through always did. Start it with `python -m benchmarks.gateway.mock_upstream PORT`.
"""

from __future__ import annotations

import asyncio

from benchmarks.gateway.asgi import Header, Receive, Scope, Send, reply, run, whole_body
from benchmarks.gateway.traffic import (
    ANSWER,
    EMBEDDING,
    EVENT_STREAM,
    FRAMES,
    JSON_TYPE,
    wants_stream,
)

_ABOUT: list[Header] = [
    (b"x-request-id", b"req_0123456789abcdef"),
    (b"openai-processing-ms", b"1"),
]
_JSON: list[Header] = [(b"content-type", JSON_TYPE), *_ABOUT]
_EVENTS: list[Header] = [(b"content-type", EVENT_STREAM), *_ABOUT]


class MockUpstream:
    """The ASGI application."""

    def __init__(self) -> None:
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        path: str = scope["path"]
        body = await whole_body(receive)
        if path == "/count":
            await reply(send, 200, _JSON, b"%d" % self._served)
        elif path.endswith("/chat/completions"):
            self._served += 1
            await self._complete(send, body)
        elif path.endswith("/embeddings"):
            self._served += 1
            await reply(send, 200, _JSON, EMBEDDING)
        else:
            await reply(send, 404, _JSON, b'{"error":{"message":"unknown path","code":404}}')

    @staticmethod
    async def _complete(send: Send, body: bytes) -> None:
        if not wants_stream(body):
            await reply(send, 200, _JSON, ANSWER)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        for frame in FRAMES:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    run(MockUpstream())
