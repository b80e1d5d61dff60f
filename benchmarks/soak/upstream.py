"""The soak's upstream: answers as the prompt says, well or badly, on lichen's own HTTP server.

Start it with `python -m benchmarks.soak.upstream PORT`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import uvloop

from benchmarks.soak.traffic import mark
from lichen.calls.booking import block
from lichen.serve.server import Limits, Server

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lichen.serve.http import Request

_JSON = block([(b"content-type", b"application/json")])
_LATER = block([(b"content-type", b"application/json"), (b"retry-after-ms", b"20")])
_EVENTS = block([(b"content-type", b"text/event-stream")])
_ERROR = b'{"error":{"message":"as asked","type":"soak","param":null,"code":"soak"}}'
_USAGE = b'"usage":{"prompt_tokens":40,"completion_tokens":12,"total_tokens":52}'
# How long the upstream thinks, so that calls are under way together. [s]
_THINKS_S = 0.02
_LONG = b"x" * 200_000


def handle(request: Request) -> Coroutine[None, None, None]:
    """Answer later."""
    return _answer(request)


async def _answer(request: Request) -> None:
    if request.target == b"/ready":
        request.respond(200, b"", b"ok")
        return
    await asyncio.sleep(_THINKS_S)
    prompt = json.loads(request.body)["messages"][0]["content"]
    kind, _, rest = prompt.partition(" ")
    key = dict(request.headers)[b"authorization"].decode().removeprefix("Bearer ")
    if kind.startswith("fail-"):
        _refuse(request, int(kind.removeprefix("fail-")), rest, mark(key, prompt))
    elif kind in ("stream-hot", "stream-new", "leave", "break"):
        await _stream(request, mark(key, prompt), breaks=kind == "break")
    else:
        text = mark(key, prompt) + (_LONG if kind == "long" else b"")
        request.respond(200, _JSON, _whole(text))


_refused: set[str] = set()


def _refuse(request: Request, status: int, rest: str, said: bytes) -> None:
    # What may be tried again is answered the second time, in half of the cases.
    is_second = rest in _refused
    _refused.discard(rest)
    if status in (429, 503) and is_second:
        request.respond(200, _JSON, _whole(said))
        return
    if status in (429, 503) and len(rest) % 2:
        _refused.add(rest)
    request.respond(status, _LATER, _ERROR)


def _whole(text: bytes) -> bytes:
    return (
        b'{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index"'
        b':0,"message":{"role":"assistant","content":"%b"},"finish_reason":"stop"}],%b}'
        % (text, _USAGE)
    )


async def _stream(request: Request, text: bytes, *, breaks: bool) -> None:
    request.start(200, _EVENTS)
    for word in (text, b" and", b" so", b" on"):
        await request.send(
            b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
            b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % word
        )
        await asyncio.sleep(0.002)
    if breaks:
        request.break_off()
        return
    await request.send(
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
        b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],%b}\n\ndata: [DONE]\n\n'
        % _USAGE
    )
    request.end()


async def _serve(port: int) -> None:
    def failed(request: Request, error: Exception) -> None:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        if not request.started:
            request.respond(500, b"", b"")

    def refusal(status: int, _why: str, _request: Request | None) -> bytes:
        return b"HTTP/1.1 %d No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status

    server = Server(handle, failed=failed, refusal=refusal, limits=Limits())
    await server.start("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
