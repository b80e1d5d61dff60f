"""The limit for pass-through: forward the call and its answer, and look at neither.

uvicorn in front, pyreqwest behind, headers and bodies untouched. The upstream is named by the
environment variable BENCH_UPSTREAM. Start it with `python -m benchmarks.gateway.bare_proxy PORT`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyreqwest.client import ClientBuilder

from benchmarks.gateway.asgi import Header, Receive, Scope, Send, reply, run, whole_body
from benchmarks.gateway.traffic import wants_stream

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.request import RequestBuilder
    from pyreqwest.response import Response

# Source: RFC 9110 section 7.6.1: a proxy must not forward them; framing sets two of them anew.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


def _client() -> Client:
    builder = ClientBuilder().http1_only().http1_lower_case_headers().follow_redirects(enable=False)
    for decompress in (builder.gzip, builder.brotli, builder.zstd, builder.deflate):
        builder = decompress(enable=False)
    return builder.no_proxy().referer(enable=False).build()


def _returned(response: Response) -> list[Header]:
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers.items()
        if name not in _HOP_BY_HOP
    ]


class BareProxy:
    """The ASGI application."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._client: Client | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one call."""
        body = await whole_body(receive)
        request = self._request(scope, body)
        if wants_stream(body):
            await self._stream(request, send)
            return
        response = await request.build().send()
        await reply(send, response.status, _returned(response), bytes(await response.bytes()))

    def _request(self, scope: Scope, body: bytes) -> RequestBuilder:
        if self._client is None:
            self._client = _client()
        sent = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        kept = [pair for pair in sent if pair[0] not in _HOP_BY_HOP]
        url = self._upstream + scope["path"]
        return self._client.request(scope["method"], url).headers(kept).body_bytes(body)

    @staticmethod
    async def _stream(request: RequestBuilder, send: Send) -> None:
        # The default buffer of 64 KiB would hold a short stream back until its end.
        async with request.streamed_read_buffer_limit(0).build_streamed() as response:
            start = {"status": response.status, "headers": _returned(response)}
            await send({"type": "http.response.start", **start})
            reader = response.body_reader
            while (chunk := await reader.read_chunk()) is not None:
                await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    run(BareProxy(os.environ["BENCH_UPSTREAM"]))
