"""Transports: a pipeline behind the HTTP library of a client, httpx or its successor httpx2.

    httpx2.Client(transport=transport(pipeline, httpx2))

The OpenAI and Anthropic clients speak through httpx2, Google's through httpx; both libraries have
the same transport, so one pair of classes is made for each when it is first asked for. The request
goes to the pipeline as it is; read timeouts of the client hold.

Source: httpx2 and httpx documentation, "Custom transports"; openai-python, "Migrating to HTTPX2".
"""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.ledger.errors import MissingExtra, UpstreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import ModuleType

    from lichen.calls.exchange import Headers
    from lichen.calls.pipeline import Pipeline, Reply

# The libraries that may be asked for, the one of most clients first.
_LIBRARIES = ("httpx2", "httpx")


class _Kinds(NamedTuple):
    """The transports of one library."""

    sync: type[Any]
    async_: type[Any]


def client(pipeline: Pipeline, library: ModuleType | None = None, **options: Any) -> Any:
    """A client of an HTTP library whose calls go through the pipeline.

    Redirects are followed and the default timeout is that of the pipeline, as the SDKs expect.

    Raises:
        MissingExtra: neither library is installed.
    """
    library = library or _library()
    given = {"follow_redirects": True, "timeout": None, **options}
    return library.Client(transport=transport(pipeline, library), **given)


def async_client(pipeline: Pipeline, library: ModuleType | None = None, **options: Any) -> Any:
    """As `client`, for async code."""
    library = library or _library()
    given = {"follow_redirects": True, "timeout": None, **options}
    return library.AsyncClient(transport=async_transport(pipeline, library), **given)


def transport(pipeline: Pipeline, library: ModuleType) -> Any:
    """A transport for a sync client of the library."""
    return _kinds(library).sync(pipeline)


def async_transport(pipeline: Pipeline, library: ModuleType) -> Any:
    """A transport for an async client of the library."""
    return _kinds(library).async_(pipeline)


def _library() -> ModuleType:
    for name in _LIBRARIES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise MissingExtra("a client of a pipeline", "httpx2", "sdk")


@cache
def _kinds(library: ModuleType) -> _Kinds:
    # The bases are the library's own, known only when it is: mypy cannot see them.
    base: Any = library
    return _Kinds(_sync(base), _async(base))


def _sync(library: Any) -> type[Any]:
    class Chunks(library.SyncByteStream):  # type: ignore[misc]
        """The chunks of a reply."""

        def __init__(self, reply: Reply, wait: float | None) -> None:
            self._reply, self._wait = reply, wait

        def __iter__(self) -> Iterator[bytes]:
            with _in_words_of(library):
                while (chunk := self._reply.next(self._wait)) is not None:
                    yield chunk

        def close(self) -> None:
            self._reply.close()

    class Transport(library.BaseTransport):  # type: ignore[misc]
        """Passes requests to a pipeline."""

        def __init__(self, pipeline: Pipeline) -> None:
            self._pipeline = pipeline

        def handle_request(self, request: Any) -> Any:
            """The answer to a request."""
            wait, body = _wait(request), request.read()
            with _in_words_of(library):
                reply = self._pipeline.ask(*_asked(request, body), wait)
            return _response(library, reply, Chunks(reply, wait))

    return Transport


def _async(library: Any) -> type[Any]:
    class Chunks(library.AsyncByteStream):  # type: ignore[misc]
        """The chunks of a reply."""

        def __init__(self, reply: Reply, wait: float | None) -> None:
            self._reply, self._wait = reply, wait

        async def __aiter__(self) -> AsyncIterator[bytes]:
            with _in_words_of(library):
                while (chunk := await self._reply.anext(self._wait)) is not None:
                    yield chunk

        async def aclose(self) -> None:
            self._reply.close()

    class AsyncTransport(library.AsyncBaseTransport):  # type: ignore[misc]
        """Passes requests to a pipeline."""

        def __init__(self, pipeline: Pipeline) -> None:
            self._pipeline = pipeline

        async def handle_async_request(self, request: Any) -> Any:
            """The answer to a request."""
            wait, body = _wait(request), await request.aread()
            with _in_words_of(library):
                reply = await self._pipeline.aask(*_asked(request, body), wait)
            return _response(library, reply, Chunks(reply, wait))

    return AsyncTransport


@contextmanager
def _in_words_of(library: Any) -> Iterator[None]:
    """What goes wrong, as the library's own exceptions, which its clients know."""
    try:
        yield
    except TimeoutError:
        raise library.ReadTimeout("nothing came in time") from None
    except UpstreamError as error:
        raise library.RemoteProtocolError(str(error)) from error


def _asked(request: Any, body: bytes) -> tuple[str, str, Headers, bytes]:
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    return request.method, str(request.url), headers, body


def _response(library: Any, reply: Reply, chunks: Any) -> Any:
    stream = chunks if reply.body is None else library.ByteStream(reply.body)
    return library.Response(reply.status, headers=reply.headers, stream=stream)


def _wait(request: Any) -> float | None:
    """How long the client waits for something to come. [s]"""
    told = request.extensions.get("timeout") or {}
    read: float | None = told.get("read")
    return read
