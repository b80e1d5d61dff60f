"""Service: gateway, dashboard and metrics on one port, and what keeps the book beside them.

/v1/...      the API, for any OpenAI client: OPENAI_BASE_URL=http://127.0.0.1:8420/v1, and for the
             clients of Anthropic and Gemini: ANTHROPIC_BASE_URL=http://127.0.0.1:8420, and
             GOOGLE_GEMINI_BASE_URL; see `lichen.calls.providers.doors`
/            the dashboard, with /entry/ID, /assets/..., /events
/metrics     Prometheus counters
/healthz     the process lives; /readyz: it can answer. Both are open to whoever can reach the port
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from lichen.calls.booking import block
from lichen.calls.gateway import Gateway, refuse
from lichen.calls.providers.doors import DOORS, enter
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.serve.guard import MISSING_TOKEN
from lichen.serve.server import Limits, Server
from lichen.serve.sign_in import SIGN_IN_HEAD, SIGN_IN_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping

    from lichen.calls.providers.doors import Door
    from lichen.operate.watch import Page, Watch
    from lichen.serve.guard import Guard
    from lichen.serve.http import Request

# Why a request is not read to its end.
_REFUSED = {413: "body_too_large", 503: "too_busy"}
_TEXT = block([(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")])
# A path that climbs, which HTTP clients resolve before they send it on.
# Source: WHATWG URL Standard, "double-dot path segment" and "single-dot path segment".
# Some servers read an encoded slash or a path parameter ("..;") in one too.
_CLIMBING = re.compile(
    rb"(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\?#;]|%2f|%5c|%3b|$)", re.IGNORECASE
)


class Service:
    """Answers every path. `health` names what is wrong, empty where all is well."""

    def __init__(
        self,
        gateway: Gateway,
        watch: Watch,
        guard: Guard,
        *,
        health: Callable[[], list[str]],
        gauges: Callable[[], Mapping[str, float]],
    ) -> None:
        self._gateway = gateway
        self._watch = watch
        self._guard = guard
        self._health = health
        self._gauges = gauges
        self._viewers: set[asyncio.Task[None]] = set()
        self._leaving = False

    def handle(self, request: Request) -> Coroutine[None, None, None] | None:
        """Answer a request, or return what will."""
        target = request.target
        door = DOORS.get(target)
        if door is None:
            if not target.startswith(b"/"):
                _in_origin_form(request)
            door = enter(request)
            target = request.target
        if door is None and self._probed(request):
            return None
        refused = self._guard.refusal(request)
        if refused is not None:
            self._turned_away(request, door, *refused)
            return None
        if door is not None:
            return self._asked(request, door)
        path, _, query = target.decode("latin-1").partition("?")
        return self._own(request, path, query)

    def _probed(self, request: Request) -> bool:
        """Answer a probe, whatever its query says; whether it was one."""
        path = request.target.partition(b"?")[0]
        if path == b"/healthz":
            _say(request, 200, "ok")
        elif path == b"/readyz":
            wrong = self._health()
            _say(request, 503 if wrong else 200, "; ".join(wrong) or "ready")
        else:
            return False
        return True

    def _asked(self, request: Request, door: Door) -> Coroutine[None, None, None] | None:
        if request.target not in DOORS and _CLIMBING.search(request.target):
            message = "a path with . or .. in it is not passed on"
            refuse(request, 400, message, "climbing_path", door.dialect)
            return None
        return self._gateway.handle(request, door)

    def _turned_away(
        self, request: Request, door: Door | None, status: int, message: str, code: str
    ) -> None:
        if self._guard.asked_in_query(request):
            # Keep the token out of the address bar and of every later request's target.
            head = block([(b"location", b"/"), (b"set-cookie", self._guard.cookie())])
            request.respond(303, head, b"")
        elif code == MISSING_TOKEN and door is None and _is_browser(request):
            request.respond(status, SIGN_IN_HEAD, SIGN_IN_PAGE)
        else:
            refuse(request, status, message, code, door.dialect if door else OPENAI)

    def _own(self, request: Request, path: str, query: str) -> Coroutine[None, None, None] | None:
        reading = request.method in (b"GET", b"HEAD")
        if reading and path == "/events":
            return self._events(request, query)
        if reading and path == "/metrics":
            return self._page(request, path, lambda: self._watch.metrics(self._gauges()))
        if reading:
            headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in request.headers}
            return self._page(request, path, lambda: self._watch.page(path, query, headers))
        _lost(request, path)
        return None

    async def _page(self, request: Request, path: str, make: Callable[[], Page | None]) -> None:
        # The book is read in a thread: while its disk or database is slow, calls are not.
        page = await asyncio.to_thread(make)
        if page is None:
            _lost(request, path)
            return
        head = block([(name.encode(), value.encode("latin-1")) for name, value in page.headers])
        request.respond(page.status, head, page.body)

    async def _events(self, request: Request, query: str) -> None:
        viewer = cast("asyncio.Task[None]", asyncio.current_task())
        self._viewers.add(viewer)
        head = block([(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")])
        request.start(200, head)
        try:
            stream = cast("AsyncGenerator[bytes, None]", self._watch.events(query))
            async with aclosing(stream) as events:
                async for event in events:
                    await request.send(event)
        except asyncio.CancelledError:
            if not self._leaving:
                raise
        finally:
            self._viewers.discard(viewer)
        request.end()

    def leave(self) -> None:
        """End the event streams, which have no end of their own: the service stops."""
        self._leaving = True
        for viewer in list(self._viewers):
            viewer.cancel()


def _is_browser(request: Request) -> bool:
    """Whether a person looks for a page, and no program for the API."""
    if request.method not in (b"GET", b"HEAD"):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in request.headers)


def _in_origin_form(request: Request) -> None:
    """The target of a request as one sends it to a proxy: its authority counts as the host.

    Source: RFC 9112 §3.2.2 (absolute-form).
    """
    scheme, there, rest = request.target.partition(b"://")
    if there and scheme.lower() in (b"http", b"https"):
        request.host, slash, path = rest.partition(b"/")
        request.target = slash + path or b"/"


def _say(request: Request, status: int, text: str) -> None:
    request.respond(status, _TEXT, text.encode() + b"\n")


def _lost(request: Request, path: str) -> None:
    refuse(
        request,
        404,
        f"there is nothing at {path}: the API is under /v1 (set the base URL to "
        "http://HOST:PORT/v1, for Anthropic's and Gemini's clients to http://HOST:PORT), "
        "the dashboard at /, the metrics at /metrics",
        "unknown_path",
    )


def failed(request: Request, error: Exception) -> None:
    """Answer when a handler of ours failed: the fault is lichen's, and says so."""
    if request.done:
        return
    if request.started:
        request.break_off()
        return
    message = f"lichen failed on this call ({type(error).__name__}); please report it"
    refuse(request, 500, message, "lichen_fault")


def refusal(status: int, why: str, request: Request | None = None) -> bytes:
    """A whole HTTP answer for a request that could not be read, as far as it was read."""
    door = enter(request) if request is not None else None
    dialect = door.dialect if door is not None else OPENAI
    body = dialect.error_body(status, why, _REFUSED.get(status, "bad_request"))
    is_busy = status == HTTPStatus.SERVICE_UNAVAILABLE
    return (
        b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"%bconnection: close\r\n\r\n%b"
        % (
            status,
            HTTPStatus(status).phrase.encode(),
            len(body),
            b"retry-after: 1\r\n" if is_busy else b"",
            body,
        )
    )


def make_server(service: Service, limits: Limits) -> Server:
    """A server for a service."""
    return Server(service.handle, failed=failed, refusal=refusal, limits=limits)
