"""Service: gateway, dashboard and metrics on one port, and what keeps the book beside them.

/v1/...      the API, for any OpenAI client: OPENAI_BASE_URL=http://127.0.0.1:8420/v1
/            the dashboard, with /entry/ID, /assets/..., /events
/metrics     Prometheus counters
/healthz     the process lives; /readyz: it can answer
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.booking import block
from lichen.calls.gateway import Gateway, refuse
from lichen.calls.openai import KINDS, error_body
from lichen.serve.http import Request, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from lichen.operate.watch import Page, Watch
    from lichen.serve.guard import Guard

_TEXT = block([(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")])


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

    def handle(self, request: Request) -> Coroutine[None, None, None] | None:
        """Answer a request, or return what will."""
        target = request.target
        if target == b"/healthz":
            _say(request, 200, "ok")
            return None
        refused = self._guard.refusal(request)
        if refused is not None:
            self._turned_away(request, *refused)
            return None
        if target in KINDS or target.startswith(b"/v1/"):
            return self._gateway.handle(request)
        path, _, query = target.decode("latin-1").partition("?")
        if path == "/events":
            return self._events(request)
        self._own(request, path, query)
        return None

    def _turned_away(self, request: Request, status: int, message: str, code: str) -> None:
        if self._guard.asked_in_query(request):
            # Keep the token out of the address bar and of every later request's target.
            head = block([(b"location", b"/"), (b"set-cookie", self._guard.cookie())])
            request.respond(303, head, b"")
        else:
            refuse(request, status, message, code)

    def _own(self, request: Request, path: str, query: str) -> None:
        page: Page | None = None
        if path == "/readyz":
            wrong = self._health()
            _say(request, 503 if wrong else 200, "; ".join(wrong) or "ready")
            return
        if path == "/metrics":
            page = self._watch.metrics(self._gauges())
        elif request.method in (b"GET", b"HEAD"):
            headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in request.headers}
            page = self._watch.page(path, query, headers)
        if page is None:
            _lost(request, path)
            return
        head = block([(name.encode(), value.encode("latin-1")) for name, value in page.headers])
        request.respond(page.status, head, page.body)

    async def _events(self, request: Request) -> None:
        head = block([(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")])
        request.start(200, head)
        async for event in self._watch.events():
            await request.send(event)
        request.end()


def _say(request: Request, status: int, text: str) -> None:
    request.respond(status, _TEXT, text.encode() + b"\n")


def _lost(request: Request, path: str) -> None:
    refuse(
        request,
        404,
        f"there is nothing at {path}: the API is under /v1 (set the base URL to "
        "http://HOST:PORT/v1), the dashboard at /, the metrics at /metrics",
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


def refusal(status: int, why: str) -> bytes:
    """A whole HTTP answer for a request that could not be read."""
    body = error_body(status, why, "bad_request")
    reason = {400: b"Bad Request", 413: b"Content Too Large"}[status]
    return (
        b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"connection: close\r\n\r\n%b" % (status, reason, len(body), body)
    )


def make_server(service: Service, *, limit: float) -> Server:
    """A server for a service."""
    return Server(service.handle, failed=failed, refusal=refusal, limit=limit)
