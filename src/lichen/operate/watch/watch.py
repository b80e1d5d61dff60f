"""Watch: the face of the dashboard and the metrics, for whatever puts them on a port."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from lichen.ledger.errors import InputError, LedgerError
from lichen.operate.watch import assets, live
from lichen.operate.watch.empty import empty
from lichen.operate.watch.explain import explained, no_entry
from lichen.operate.watch.grid_page import grid_page
from lichen.operate.watch.markup import el
from lichen.operate.watch.metrics import KIND, Metrics
from lichen.operate.watch.overview import GRID, Beside, live_button, overview, pages, spans
from lichen.operate.watch.page import GUARDS, Frame, Page, html_page, plain_page
from lichen.operate.watch.sight import Sight
from lichen.operate.watch.span import BY_NAME, SPANS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from lichen.ledger.book import Book
    from lichen.ledger.panel import Panel
    from lichen.operate.watch.grid import Lookout
    from lichen.operate.watch.markup import Markup

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_ENTRY, _ASSET = "/entry/", "/assets/"
_YEAR = "public, max-age=31536000, immutable"


def here_and_now() -> datetime:
    """The time, in the zone of this machine."""
    return datetime.now(UTC).astimezone()


class Watch:
    """Makes the pages.

    `waiting` says what waits, by name, such as entries not yet written; `lookout` brings what the
    page at `/grid` shows, and without one there is no such page; `panels` are what parts of lichen
    show of themselves on the overview.
    """

    def __init__(
        self,
        book: Book,
        *,
        clock: Callable[[], datetime] = here_and_now,
        waiting: Callable[[], Mapping[str, float]] = dict,
        lookout: Lookout | None = None,
        panels: Callable[[], Sequence[Panel]] = tuple,
    ) -> None:
        self._book = book
        self._clock = clock
        self._waiting = waiting
        self._lookout = lookout
        self._panels = panels
        self._sight = Sight(book, clock)
        self._metrics = Metrics(book.store, clock)

    def page(
        self, path: str, query: str = "", headers: Mapping[str, str] = _NO_HEADERS
    ) -> Page | None:
        """The page at a path; None where it is not one of ours."""
        if path.startswith(_ASSET):
            return _asset(path, headers)
        try:
            if path == "/":
                return self._overview(query, headers)
            if path == GRID and self._lookout is not None:
                top = (spans(None), pages(GRID))
                return grid_page(self._lookout.seen(), self._clock(), top)
            if path.startswith(_ENTRY):
                return self._entry(path.removeprefix(_ENTRY))
        except LedgerError as error:
            return _broken(error)
        return None

    def events(self, query: str = "") -> AsyncIterator[bytes]:
        """What changes on the overview, as server-sent events; ends when it is closed.

        `query` is that of the page's own address for events: its span and the version it holds.
        """
        asked = dict(parse_qsl(query))

        def viewer() -> live.Viewer:
            span = BY_NAME.get(asked.get("span", "")) or SPANS[0]
            return live.Viewer(self._sight, span, asked.get("since", ""))

        return live.stream(viewer)

    def metrics(self, gauges: Mapping[str, float] = MappingProxyType({})) -> Page:
        """The counters for Prometheus, and gauges of now by name."""
        try:
            return plain_page(200, KIND, self._metrics.text({**self._waiting(), **gauges}))
        except LedgerError as error:
            return plain_page(503, KIND, f"# {error}\n".replace("\n", " ").strip() + "\n")

    def _overview(self, query: str, headers: Mapping[str, str]) -> Page:
        began = time.thread_time()
        # The version is read first: what comes in between is sent again rather than missed.
        version = self._sight.version()
        span = BY_NAME.get(dict(parse_qsl(query)).get("span", ""))
        view = self._sight.view(span) if span else self._sight.first_with_work()
        if not view.has_work and not self._sight.has_any_work():
            host = {name.lower(): value for name, value in headers.items()}.get("host", "")
            return empty(host, (*self._pages(), live_button(SPANS[0], "")))
        beside = Beside(
            version,
            self._waiting(),
            lambda: 1000 * (time.thread_time() - began),
            self._pages(),
            tuple(self._panels()),
        )
        return overview(view, beside)

    def _pages(self) -> tuple[Markup, ...]:
        return (pages("/"),) if self._lookout is not None else ()

    def _entry(self, entry_id: str) -> Page:
        nav = (spans(None), *self._pages())
        try:
            entry = self._book.store.entry(entry_id)
        except InputError:
            entry = None
        if entry is None:
            return no_entry(entry_id, nav)
        return explained(entry, self._book, self._clock().tzinfo, nav)


def _asset(path: str, headers: Mapping[str, str]) -> Page | None:
    made = assets.at(path)
    if made is None:
        return plain_page(404, "text/plain; charset=utf-8", "No such file: load the page again.\n")
    kept = (("etag", made.etag), ("cache-control", _YEAR), *GUARDS)
    asked = {name.lower(): value for name, value in headers.items()}.get("if-none-match", "")
    if made.etag in asked or asked.strip() == "*":
        return Page(304, kept, b"")
    return Page(200, (("content-type", made.kind), *kept), made.body)


def _broken(error: LedgerError) -> Page:
    main = (el("h1", "The ledger cannot be read."), el("p", str(error)))
    return html_page(Frame("lichen", (spans(None),)), *main, status=503)
