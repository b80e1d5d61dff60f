"""The limit for exact hits: read, parse, hash the canonical body, look it up, answer. Nothing else.

No tenant, no ledger, no expiry, no footprint: what is left of a cache when only HTTP and the key
remain. It sends as many headers as lichen does. Start it with
`python -m benchmarks.gateway.bare_server PORT`.
"""

from __future__ import annotations

import hashlib

import orjson

from benchmarks.gateway.asgi import Header, Receive, Scope, Send, reply, run, whole_body
from benchmarks.gateway.traffic import ANSWER, EVENT_STREAM, FRAMES, JSON_TYPE, wants_stream

_ABOUT: list[Header] = [
    (b"x-lichen-cache", b"hit"),
    (b"x-lichen-id", b"01JABCDEFGHJKMNPQRSTVWXYZ0"),
    (b"x-lichen-wh", b"0.1234"),
    (b"x-lichen-wh-low", b"0.0321"),
    (b"x-lichen-wh-high", b"0.4936"),
    (b"x-lichen-gco2e", b"0.0456"),
]
_JSON: list[Header] = [(b"content-type", JSON_TYPE), *_ABOUT]
_EVENTS: list[Header] = [(b"content-type", EVENT_STREAM), *_ABOUT]
_STREAM = b"".join(FRAMES)


class BareServer:
    """The ASGI application: a dictionary behind HTTP."""

    def __init__(self) -> None:
        self._answers: dict[bytes, tuple[list[Header], bytes]] = {}

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call from the dictionary; a new key gets the one answer there is."""
        body = await whole_body(receive)
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
        key = hashlib.sha256(canonical).digest()
        stored = self._answers.get(key)
        if stored is None:
            stored = (_EVENTS, _STREAM) if wants_stream(body) else (_JSON, ANSWER)
            self._answers[key] = stored
        await reply(send, 200, *stored)


if __name__ == "__main__":
    run(BareServer())
