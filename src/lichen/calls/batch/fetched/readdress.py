"""Readdressing: where a batch's results are, told so that its client fetches them through lichen.

    "results_url": "https://api.anthropic.com/v1/messages/batches/ID/results"
    "results_url": "http://127.0.0.1:8787/v1/messages/batches/ID/results"

Anthropic's official clients fetch results from the address that the batch names, and send their
credential there. So lichen names itself only by the address that the client surely used:

    a loopback name, or one with lichen's own port     http://HOST
    a proxy in front that says both                    x-forwarded-proto, and -host or HOST
    `results_url` in the settings                      that address

In all other cases, and where anything is not as expected, the answer passes as it came. A Host that
is no host name of letters, digits and a port is none. Whoever forges one is told it alone: answers
about batches are kept by nobody here.

Source: Anthropic API reference, "Message Batches" (`results_url`), and its Python client 2.13
(`messages.batches.results`); RFC 9110 §7.2 (Host); nginx manual, "proxy_set_header" (its defaults:
Host of the server behind, Connection: close).
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from lichen.calls.asked import ORIGIN
from lichen.calls.coding.unpacking import unpacking
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer, Exchange, Headers, Stream

AUTO, OFF = "auto", "off"
_OK = 200
# An answer about batches, decoded: a page has at most 1,000 of them, of about 700 bytes. [byte]
_MOST = 8_000_000
_ABOUT = re.compile(r"/v1/messages/batches(?:/[^/?:]+(?:/cancel)?)?(?:\?.*)?")
# As JSON has it: within a text, these quotes would be escaped.
_TOLD = re.compile(
    rb'("results_url"\s*:\s*")https?://[^"\\\s]*?(/v1/messages/batches/[^"\\/?#\s]+/results")'
)
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
# What says that a proxy stands in between.
_BETWEEN = (b"forwarded", b"via", b"x-real-ip", b"x-forwarded-")


def results_url(given: str) -> str:
    """The setting: "auto", "off", or the address under which clients reach lichen.

    Raises:
        ValueError: it is none of them.
    """
    said = given.strip().rstrip("/")
    if said in (AUTO, OFF):
        return said
    parts = urlsplit(said)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc) or parts.query:
        raise ValueError(
            f'{given!r} is neither "auto" nor "off" nor an address such as https://lichen.example'
        )
    return said


class Readdressing:
    """Rewrites `results_url` in answers about Anthropic's batches; `port` is lichen's own."""

    def __init__(self, said: str, port: int) -> None:
        self._said, self._port = said, port

    async def __call__(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer, with lichen's own address in it where that is known.

        Raises:
            UpstreamError: the answer broke off.
        """
        if not _is_about_batches(exchange, answer):
            return answer
        address = self.address(exchange.headers)
        if not address:
            return answer
        if answer.stream is not None:
            answer = await _gathered(answer)
        if answer.stream is not None:
            return answer
        body = _decoded(answer)
        told = _TOLD.sub(rb"\g<1>%b\g<2>" % address.encode(), body)
        if told == body:
            return answer
        left = (b"content-encoding", b"content-length", b"etag", b"content-md5", b"digest")
        headers = [pair for pair in answer.headers if pair[0] not in left]
        return replace(answer, headers=headers, body=told)

    def address(self, headers: Headers) -> str:
        """Where the client reaches lichen; empty where that is not sure."""
        if self._said != AUTO:
            return "" if self._said == OFF else self._said
        named = dict(headers)
        if ORIGIN in named:  # a pipeline in its client's own process
            return ""
        host = named.get(b"host", b"").decode("latin-1")
        if any(name.startswith(_BETWEEN) for name in named):
            scheme = _first(named.get(b"x-forwarded-proto", b""))
            host = _first(named.get(b"x-forwarded-host", b"")) or host
            return f"{scheme}://{host}" if scheme in ("http", "https") and _fits(host) else ""
        # A proxy that says nothing of itself closes its connections, and names a host of its own.
        is_close = named.get(b"connection", b"").strip().lower() == b"close"
        return f"http://{host}" if _fits(host) and not is_close and self._is_here(host) else ""

    def _is_here(self, host: str) -> bool:
        parts = urlsplit(f"//{host}")
        name = parts.hostname or ""
        if (parts.port == self._port and self._port) or name == "localhost":
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


def _first(value: bytes) -> str:
    """What the proxy that the client reached says, of several."""
    return value.decode("latin-1").partition(",")[0].strip().lower()


def _fits(host: str) -> bool:
    """Whether a text is a host's name, with or without a port."""
    if not _HOST.fullmatch(host):
        return False
    try:
        return urlsplit(f"//{host}").port != 0
    except ValueError:
        return False


def _is_about_batches(exchange: Exchange, answer: Answer) -> bool:
    if exchange.provider != "anthropic" or exchange.method not in ("GET", "POST"):
        return False
    kind = next((value for name, value in answer.headers if name == b"content-type"), b"")
    is_json = kind.partition(b";")[0].strip().lower() == b"application/json"
    return answer.status == _OK and is_json and bool(_ABOUT.fullmatch(exchange.target))


async def _gathered(answer: Answer) -> Answer:
    """The answer whole; as a stream where it is longer than such an answer can be."""
    stream, chunks, size = answer.stream, [], 0
    assert stream is not None
    try:
        async for chunk in stream:
            chunks.append(chunk)
            size += len(chunk)
            if size > _MOST:
                return replace(answer, stream=_Resumed(chunks, stream))
    except BaseException:
        await stream.aclose()
        raise
    await stream.aclose()
    return replace(answer, stream=None, length=None, body=b"".join(chunks))


def _decoded(answer: Answer) -> bytes:
    """The body without its coding; empty where that cannot be read."""
    coding = b",".join(value for name, value in answer.headers if name == b"content-encoding")
    reading, pieces, size = unpacking(coding), [], 0
    if reading is None:
        return b""
    try:
        for piece in reading.feed(answer.body):
            pieces.append(piece)
            size += len(piece)
            if size > _MOST:
                return b""
    except InputError:
        return b""
    return b"".join(pieces) if reading.whole else b""


class _Resumed:
    """A stream of which some chunks were read."""

    def __init__(self, chunks: list[bytes], stream: Stream) -> None:
        self._chunks, self._stream = chunks[::-1], stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return self._chunks.pop() if self._chunks else await self._stream.__anext__()

    async def aclose(self) -> None:
        self._chunks.clear()
        await self._stream.aclose()
