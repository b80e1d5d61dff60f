"""HttpUpstream: whoever speaks the OpenAI API over HTTP.

Bodies pass byte for byte both ways; headers too, but for those that belong to one connection. The
HTTP client is pyreqwest (docs/decisions/0003-server-and-client.md). Credentials go to the upstream
and nowhere else: they are never stored, logged or put into an error.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlsplit

from lichen.calls.exchange import Answer, Exchange, Headers, Share
from lichen.ledger.errors import InputError, MissingExtra, UpstreamError

# Headers of one connection, not of the message (RFC 9110 §7.6.1), and those we set ourselves.
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# A metered answer must be readable, so none is asked for in a compressed form.
_PLAIN = (b"accept-encoding", b"identity")


class HttpUpstream:
    """An OpenAI-compatible service at a base URL, with or without its "/v1".

    `key` replaces the client's credential where it is given; `zone` is the grid zone of the
    service's data centre, "WORLD" where nobody knows; `model` is the one model it serves, whatever
    a call names, if it is known.

    Raises:
        InputError: the URL is not http or https.
    """

    def __init__(
        self,
        url: str,
        *,
        zone: str = "WORLD",
        model: str = "",
        key: str = "",
        timeout: float = 600.0,
        connect_timeout: float = 10.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(
                "the upstream must be an http(s) URL such as https://api.openai.com/v1, "
                f"got {url!r}"
            )
        self.url = url.rstrip("/").removesuffix("/v1")
        self.zone = zone
        self.model = model
        self.share: Share | None = None
        self._timeout = timeout
        self._key = f"Bearer {key}".encode() if key else b""
        loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
        self._client = _client(timeout, connect_timeout, direct=loopback)

    async def send(self, exchange: Exchange) -> Answer:
        """The upstream's answer, whatever its status.

        Raises:
            UpstreamError: it could not be reached, timed out, or spoke no HTTP.
        """
        metered = exchange.call is not None
        headers = self._headers(exchange.headers, plain=metered)
        request = self._client.request(exchange.method, self.url + exchange.target)
        request = request.headers(headers)
        if exchange.body:
            request = request.body_bytes(exchange.body)
        # Whole answers take one crossing into the client's runtime, streams one a chunk.
        if metered and exchange.call is not None and not exchange.call.stream:
            return await self._whole(request)
        return await self._streamed(request)

    async def _whole(self, request: Any) -> Answer:
        from pyreqwest.exceptions import PyreqwestError  # noqa: PLC0415 (an extra, imported on use)

        try:
            response = await request.build().send()
            body = bytes(await response.bytes())
        except (PyreqwestError, ValueError) as error:
            raise self._failed(error) from error
        return Answer(response.status, _end_to_end(response), body)

    async def _streamed(self, request: Any) -> Answer:
        from pyreqwest.exceptions import PyreqwestError  # noqa: PLC0415 (an extra, imported on use)

        # A read-ahead buffer would hold the headers and the first events back until it is full.
        sending = request.streamed_read_buffer_limit(0).build_streamed()
        try:
            response = await sending.__aenter__()
        except (PyreqwestError, ValueError) as error:
            raise self._failed(error) from error
        return Answer(response.status, _end_to_end(response), stream=_Body(sending, response))

    def _headers(self, headers: Headers, *, plain: bool) -> list[tuple[str, str]]:
        passed = [
            (name, value)
            for name, value in headers
            if name not in _HOP_BY_HOP and not name.startswith(b"x-lichen-")
        ]
        if plain:
            passed = [pair for pair in passed if pair[0] != b"accept-encoding"] + [_PLAIN]
        if self._key:
            passed = [pair for pair in passed if pair[0] not in (b"authorization", b"api-key")]
            passed.append((b"authorization", self._key))
        return [(name.decode("latin-1"), _text(value)) for name, value in passed]

    def _failed(self, error: Exception) -> UpstreamError:
        from pyreqwest import exceptions  # noqa: PLC0415 (an extra, imported on use)

        host = urlsplit(self.url).netloc.rpartition("@")[2]
        if isinstance(error, exceptions.PoolTimeoutError):
            return UpstreamError(
                "too many calls are under way to the upstream; send the call again in a moment",
                status=503,
                code="upstream_busy",
            )
        if isinstance(error, exceptions.RequestTimeoutError):
            return UpstreamError(
                f"the upstream at {host} did not answer within {self._timeout:g} s; raise "
                "LICHEN_TIMEOUT or try again",
                status=504,
                code="upstream_timeout",
            )
        if isinstance(error, ValueError):
            return UpstreamError(
                f"the call cannot be sent on: {_plain(error)}", status=400, code="bad_request"
            )
        return UpstreamError(
            f"the upstream at {host} cannot be reached or speaks no HTTP ({_plain(error)}); check "
            "LICHEN_UPSTREAM and the network",
            code="upstream_unreachable",
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class _Body:
    """A body as it comes; leaving early closes the upstream's connection."""

    def __init__(self, sending: Any, response: Any) -> None:
        self._sending = sending
        self._reader = response.body_reader

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        from pyreqwest.exceptions import PyreqwestError  # noqa: PLC0415 (an extra, imported on use)

        try:
            chunk = await self._reader.read_chunk()
        except PyreqwestError as error:
            raise UpstreamError(
                f"the upstream broke off in the middle of its answer ({_plain(error)}); "
                "send the call again",
                code="upstream_broke_off",
            ) from error
        if chunk is None:
            await self.aclose()
            raise StopAsyncIteration
        return bytes(chunk)

    async def aclose(self) -> None:
        """Let go of the connection."""
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending.__aexit__(None, None, None)


def _client(timeout: float, connect_timeout: float, *, direct: bool) -> Any:
    try:
        from pyreqwest.client import ClientBuilder  # noqa: PLC0415 (an extra, imported on use)
    except ImportError:
        raise MissingExtra("lichen serve", "pyreqwest", "serve") from None
    builder = (
        ClientBuilder()
        .http1_only()
        .http1_lower_case_headers()
        .follow_redirects(False)  # noqa: FBT003 (the client's own builder)
        .referer(False)  # noqa: FBT003
        .gzip(False)  # noqa: FBT003
        .brotli(False)  # noqa: FBT003
        .zstd(False)  # noqa: FBT003
        .deflate(False)  # noqa: FBT003
        .connect_timeout(timedelta(seconds=connect_timeout))
        .read_timeout(timedelta(seconds=timeout))
        .pool_max_idle_per_host(256)
        .pool_idle_timeout(timedelta(seconds=4))
        .max_connections(1024)
        .pool_timeout(timedelta(seconds=connect_timeout))
    )
    return (builder.no_proxy() if direct else builder).build()


def _end_to_end(response: Any) -> Headers:
    """The answer's headers, those of the connection left out."""
    try:
        pairs = [(n.encode("latin-1"), v.encode()) for n, v in response.headers.items()]
    except ValueError:
        # A value that is no text cannot be read at all by the client; keep the rest.
        pairs = [
            (name.encode("latin-1"), value.encode())
            for name in response.headers
            if (value := _readable(response, name)) is not None
        ]
    return [pair for pair in pairs if pair[0] not in _HOP_BY_HOP]


def _readable(response: Any, name: str) -> str | None:
    try:
        return str(response.headers[name])
    except ValueError:
        return None


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _plain(error: Exception) -> str:
    """An error's text without any URL in it, which could carry a credential."""
    text = str(error).split("http://")[0].split("https://")[0].strip(" :(")
    return text or type(error).__name__
