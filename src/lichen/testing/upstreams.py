"""ScriptedUpstream: an upstream that answers from a script, and what the OpenAI API answers.

    upstream = ScriptedUpstream(whole(chat_answer("Hello.")), failed(429, b"..."))

Each call takes the next act of the script, the last one serves all that follow. An act is a plain
function of the exchange, so that a test can write its own. Streams are lists of parts: bytes go
out, a number waits so many seconds, an event waits until it is set, an error is raised.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import orjson

from lichen.calls.exchange import Answer, Exchange, Headers, Share
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Act = Callable[[Exchange], Awaitable[Answer]]
    Part = bytes | float | asyncio.Event | Exception

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream")


class ScriptedUpstream:
    """Keeps the `Upstream` port; counts what it was asked.

    `calls` are the exchanges that came, `left` how many were cancelled before they ended, `closed`
    how many streams were let go.
    """

    def __init__(self, *script: Act, share: Share | None = None, model: str = "") -> None:
        self.name = ""
        self.url = "http://scripted.example"
        self.zone = "WORLD"
        self.model = model
        self.share = share
        self.calls: list[Exchange] = []
        self.left = 0
        self.streams: list[ScriptedStream] = []
        self._script = list(script)

    @property
    def count(self) -> int:
        """How many calls came."""
        return len(self.calls)

    async def send(self, exchange: Exchange) -> Answer:
        """The next act's answer.

        Raises:
            UpstreamError: the script says so.
        """
        act = self._script[min(len(self.calls), len(self._script) - 1)]
        self.calls.append(exchange)
        try:
            answer = await act(exchange)
        except asyncio.CancelledError:
            self.left += 1
            raise
        if isinstance(answer.stream, ScriptedStream):
            self.streams.append(answer.stream)
        return answer

    async def close(self) -> None:
        """Nothing to release."""


class ScriptedStream:
    """A stream from its parts; `closed` once it has ended or was let go."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = iter(parts)
        self.closed = False
        self.given = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            if isinstance(part, bytes):
                self.given += 1
                return part
            await _pause(part)
        self.closed = True
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Let go."""
        self.closed = True


async def _pause(part: float | asyncio.Event | Exception) -> None:
    if isinstance(part, Exception):
        raise part
    if isinstance(part, asyncio.Event):
        await part.wait()
    else:
        await asyncio.sleep(part)


def whole(
    body: bytes,
    *,
    status: int = 200,
    headers: Headers | None = None,
    after: float | asyncio.Event = 0.0,
) -> Act:
    """An answer that comes whole, after a time [s] or an event."""

    async def act(_exchange: Exchange) -> Answer:
        await _pause(after)
        return Answer(status, [_JSON, *(headers or [])], body)

    return act


def streamed(
    *parts: Part,
    status: int = 200,
    headers: Headers | None = None,
    after: float | asyncio.Event = 0.0,
) -> Act:
    """An answer that comes in parts."""

    async def act(_exchange: Exchange) -> Answer:
        await _pause(after)
        return Answer(status, [_EVENTS, *(headers or [])], stream=ScriptedStream(parts))

    return act


def failed(
    message: str = "the upstream cannot be reached",
    *,
    status: int = 502,
    code: str = "upstream_unreachable",
    after: float | asyncio.Event = 0.0,
) -> Act:
    """No answer at all."""

    async def act(_exchange: Exchange) -> Answer:
        await _pause(after)
        raise UpstreamError(message, status=status, code=code)

    return act


def chat_usage(read: int = 12, written: int = 5, **more: Any) -> dict[str, Any]:
    """The usage object of a chat completion. [token]"""
    total = read + written
    counts = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total}
    return {**counts, **more}


def chat_answer(text: str = "Hello.", **fields: Any) -> bytes:
    """A whole chat completion; `fields` replace its own, None leaves one out."""
    said: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": chat_usage(),
        **fields,
    }
    return orjson.dumps({name: value for name, value in said.items() if value is not None})


def chat_chunk(text: str, **fields: Any) -> bytes:
    """One frame of a streamed chat completion."""
    said = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
        **fields,
    }
    return b"data: %b\n\n" % orjson.dumps(said)


DONE = b"data: [DONE]\n\n"


def chat_frames(
    words: Iterable[str] = ("Hel", "lo", "."), usage: dict[str, Any] | None = None
) -> list[bytes]:
    """A streamed chat completion, frame by frame; `usage` comes where the client asked for it."""
    if usage is None:
        return [*(chat_chunk(word) for word in words), DONE]
    frames = [chat_chunk(word, usage=None) for word in words]
    return [*frames, chat_chunk("", choices=[], usage=usage), DONE]


def response_usage(read: int = 12, written: int = 5) -> dict[str, Any]:
    """The usage object of a response. [token]"""
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


def response_answer(text: str = "Hello.", status: str = "completed", **fields: Any) -> bytes:
    """A whole response."""
    return orjson.dumps(response_object(text, status, **fields))


def response_object(text: str, status: str, **fields: Any) -> dict[str, Any]:
    """A response as it stands in an answer and in the last frame of a stream."""
    done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "model": "gpt-4o-mini-2024-07-18",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}],
        "usage": response_usage() if done else None,
        "metadata": {},
        **fields,
    }


def response_frames(text: str = "Hello.", last: str = "completed") -> list[bytes]:
    """A streamed response, frame by frame, up to `response.<last>`."""
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response_object("", "in_progress")},
        *({"type": "response.output_text.delta", "delta": word} for word in text.split()),
        {"type": f"response.{last}", "response": response_object(text, last)},
    ]
    return [
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
        for event in events
    ]


def embedding_answer(read: int = 8, count: int = 1) -> bytes:
    """A whole answer with embeddings."""
    rows = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5]} for i in range(count)]
    usage = {"prompt_tokens": read, "total_tokens": read}
    return orjson.dumps({"object": "list", "data": rows, "model": "embed-1", "usage": usage})
