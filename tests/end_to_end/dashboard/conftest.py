"""The dashboard on a port of its own, and pages of a real browser in which nothing may go wrong."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from lichen.grid.zones import StaticZones
from lichen.ledger.book import Book
from lichen.ledger.entry import OWN, Baseline, Entry
from lichen.ledger.footprint import Footprint
from lichen.ledger.memory import MemoryStore
from lichen.ledger.pricing import Pricer
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work
from lichen.meter.tokens import TokenMeter
from lichen.operate.watch import Watch
from lichen.testing.samples import sample_entry, sample_figures, sample_footprint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from playwright.async_api import Browser, Page

    Visit = Callable[..., AbstractAsyncContextManager[Page]]

MODELS = ("gpt-4o-mini", "gpt-5", "claude-sonnet-4-5", "text-embedding-3-small")
READ = Tokens(prefill=400, decode=150)


def call(model: str, wh: float, ago: timedelta = timedelta()) -> Entry:
    """A call that a model answered."""
    figures = replace(
        sample_figures(),
        strategy="none",
        model=model,
        work=Work(1, "request"),
        tokens=READ,
        footprint=sample_footprint(wh=wh),
    )
    return sample_entry(datetime.now(UTC) - ago, figures)


def hit(origin: Entry, ago: timedelta = timedelta(), strategy: str = "calls.exact") -> Entry:
    """A call that the answer of another one served."""
    figures = replace(
        origin.figures,
        strategy=strategy,
        footprint=Footprint.zero(),
        tokens=Tokens(),
        baseline=Baseline(origin.figures.footprint, "stored-call/1", origin.id, READ),
        gaps=("zone-assumed",),
    )
    return sample_entry(datetime.now(UTC) - ago, figures)


def busy_hour() -> list[Entry]:
    """Hundreds of calls over the last hour, several models, all strategies."""
    made: list[Entry] = []
    for minute in range(59):
        ago = timedelta(minutes=minute)
        for place, model in enumerate(MODELS):
            origin = call(model, 0.02 * (1 + minute % 13) * (1 + place), ago)
            made += [origin, *(hit(origin, ago) for _ in range((minute + place) % 4))]
        made.append(hit(origin, ago, "calls.coalesce"))
        again = replace(origin.figures, strategy="none.sampled")
        made.append(sample_entry(datetime.now(UTC) - ago, again))
        own = replace(again, strategy=OWN, model="", work=Work(0, "request"), tokens=Tokens())
        footprint = sample_footprint(wh=0.0005)
        made.append(sample_entry(datetime.now(UTC) - ago, replace(own, footprint=footprint)))
    return made


@dataclass
class Site:
    """A watch on a port of loopback, and what was asked of it."""

    book: Book
    watch: Watch
    address: str = ""
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    listeners: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def add(self, *entries: Entry) -> None:
        self.book.store.append(entries)

    def call(self, model: str) -> None:
        """Book a call of now."""
        self.add(call(model, 0.5))

    def a_hit(self) -> str:
        """The path of an entry that claims a saving."""
        return f"/entry/{next(self.book.store.entries(strategy='calls.exact')).id}"

    async def until_listeners(self, count: int) -> None:
        async with self.changed:
            await asyncio.wait_for(
                self.changed.wait_for(lambda: self.listeners == count), timeout=20
            )

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        target = head[0].split(" ")[1]
        self.requests.append(target)
        path, _, query = target.partition("?")
        headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        try:
            if path == "/events":
                await self._stream(reader, writer, query)
            else:
                self._page(writer, path, query, headers)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _page(
        self, writer: asyncio.StreamWriter, path: str, query: str, headers: dict[str, str]
    ) -> None:
        page = self.watch.page(path, query, headers)
        assert page is not None, path
        lines = [f"HTTP/1.1 {page.status} -", *(f"{name}: {value}" for name, value in page.headers)]
        lines += [f"content-length: {len(page.body)}", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + page.body)
        self.sent += len(page.body)

    async def _stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, query: str
    ) -> None:
        writer.write(b"HTTP/1.1 200 -\r\ncontent-type: text/event-stream\r\n\r\n")
        await self._count(1)
        left = asyncio.ensure_future(reader.read())
        events: Any = self.watch.events(query)
        try:
            while not left.done():
                event = asyncio.ensure_future(anext(events))
                await asyncio.wait({event, left}, return_when=asyncio.FIRST_COMPLETED)
                if not event.done():
                    event.cancel()
                    await asyncio.wait({event})
                    break
                writer.write(event.result())
                self.sent += len(event.result())
                await writer.drain()
        finally:
            left.cancel()
            await events.aclose()
            await self._count(-1)

    async def _count(self, step: int) -> None:
        async with self.changed:
            self.listeners += step
            self.changed.notify_all()


@asynccontextmanager
async def served(*entries: Entry) -> AsyncIterator[Site]:
    book = Book(MemoryStore(), Pricer(TokenMeter(), StaticZones()))
    site = Site(book, Watch(book))
    site.add(*entries)
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield site
    finally:
        server.close()


@pytest_asyncio.fixture(loop_scope="module")
async def site() -> AsyncIterator[Site]:
    """A busy hour, served."""
    async with served(*busy_hour()) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def empty_site() -> AsyncIterator[Site]:
    """A book without a call, served."""
    async with served() as site:
        yield site


@pytest.fixture
def visit(browser: Browser) -> Visit:
    """Open a page in a context of its own; any error in its console fails the test."""

    @asynccontextmanager
    async def opened(address: str, **options: Any) -> AsyncIterator[Page]:
        context = await browser.new_context(**options)
        page = await context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        try:
            await page.goto(address)
            yield page
            assert wrong == []
        finally:
            await context.close()

    return opened
