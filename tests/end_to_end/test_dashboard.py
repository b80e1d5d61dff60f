"""The dashboard in a real browser: what a person sees, and what passes over the wire."""

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
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"width": 360, "height": 740}
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


@asynccontextmanager
async def opened(browser: Browser, address: str, **options: Any) -> AsyncIterator[Page]:
    """A page in a context of its own, in which nothing may go wrong."""
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


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page."""
    from axe_playwright_python.async_playwright import Axe

    found = await Axe().run(page)
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found.response["violations"]]


async def is_too_wide(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth > innerWidth"))


async def test_the_page_shows_the_hour(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        heading = await page.text_content("h1")
        drawn = await page.locator("#chart path.a2").get_attribute("d")

    assert heading is not None
    assert heading.endswith("calls needed no model.")
    assert drawn is not None
    assert drawn.count("M") > 50


async def test_a_call_appears_by_itself(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await site.until_listeners(1)
        before = await page.text_content("h1")
        site.add(call("a-new-model", 0.5))

        await page.wait_for_selector("#new :text('a-new-model')")

        assert await page.text_content("h1") != before
        assert site.requests.count("/") == 1


async def test_the_first_call_fills_the_empty_page(browser: Browser) -> None:
    async with served() as site, opened(browser, site.address) as page:
        await site.until_listeners(1)
        assert await page.text_content("h1") == "No call has come through yet."

        site.add(call("first", 0.5))

        await page.wait_for_selector("h1:has-text('1 call, each answered by a model.')")


async def test_the_table_twin_opens_by_keyboard_and_holds_the_chart(
    browser: Browser, site: Site
) -> None:
    async with opened(browser, site.address) as page:
        table = page.locator("#twin")
        assert not await table.is_visible()

        await page.focus("summary")
        await page.keyboard.press("Enter")

        assert await table.is_visible()
        assert await table.locator("tbody tr").count() == 60


async def test_pointing_at_the_chart_reads_out_its_table(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        box = await page.locator("#chart").bounding_box()
        assert box is not None
        await page.hover("#chart", position={"x": box["width"] * 0.6, "y": 120})
        read = await page.text_content("#read")

        rows = await page.locator("#twin tbody tr").all_text_contents()

    assert read is not None
    assert read.startswith("Minute ")
    minute, used = read.split(" · ")[0].removeprefix("Minute "), read.split("Used, ")[1]
    row = next(row for row in rows if row.startswith(minute))
    assert used.split(" · ")[0].partition(" ")[2] in row


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_wrong(browser: Browser, site: Site, scheme: str) -> None:
    entry = next(site.book.store.entries(strategy="calls.exact"))
    async with opened(browser, site.address, color_scheme=scheme) as page:
        await page.click("summary")
        assert await violations(page) == []

        await page.goto(f"{site.address}/entry/{entry.id}")
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_wrong_with_the_empty_page(browser: Browser, scheme: str) -> None:
    async with served() as site, opened(browser, site.address, color_scheme=scheme) as page:
        assert await violations(page) == []


async def test_a_cold_visit_stays_within_its_budget(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await site.until_listeners(1)
        weight = await page.text_content("footer")

    assert site.sent <= 30_000
    assert len(site.requests) <= 8
    assert weight is not None
    assert "in 3 requests" in weight


async def test_a_second_visit_asks_for_no_file_again(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await page.goto(f"{site.address}/?span=day")

    assert len([path for path in site.requests if path.startswith("/assets/")]) == 2


async def test_nothing_is_asked_and_nothing_is_sent_while_the_tab_is_hidden(
    browser: Browser, site: Site
) -> None:
    async with opened(browser, site.address) as page:
        await site.until_listeners(1)
        await hide(page, "true")
        await site.until_listeners(0)
        requests, sent = len(site.requests), site.sent
        site.add(call("while-hidden", 0.5))

        await hide(page, "false")
        await page.wait_for_selector("text=while-hidden")

        asked = site.requests[requests:]
        assert [path.partition("?")[0] for path in asked] == ["/events"]
        assert site.sent > sent


async def hide(page: Page, hidden: str) -> None:
    """Hide or show the tab as its script sees it: a headless browser has no other tab in front."""
    await page.evaluate(
        f"""Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});
        document.dispatchEvent(new Event('visibilitychange'))"""
    )


async def test_live_updates_can_be_paused(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await site.until_listeners(1)
        await page.click("#live")
        await site.until_listeners(0)

        assert await page.get_attribute("#live", "aria-pressed") == "false"


async def test_every_control_is_reached_by_keyboard_and_shows_its_focus(
    browser: Browser, site: Site
) -> None:
    async with opened(browser, site.address) as page:
        controls = await page.evaluate(
            "[...document.querySelectorAll('a[href], button, summary')].map(e => e.textContent)"
        )
        reached = []
        for _ in controls:
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.textContent"))
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") in (
                "solid",
                "auto",
            )

    assert reached == controls


async def test_the_first_control_leads_past_the_navigation(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the figures"

        await page.keyboard.press("Enter")

        assert await page.evaluate("document.activeElement.id") == "main"


async def test_focus_stays_where_it_is_while_the_page_changes(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await site.until_listeners(1)
        link = page.locator("#new a").first
        await link.focus()
        before = await link.get_attribute("href")
        heading = await page.text_content("h1")
        site.add(call("later", 0.5))
        await page.wait_for_function(
            "h => document.querySelector('h1').textContent != h", arg=heading
        )
        await page.wait_for_function("() => later.has('new')")

        assert await page.evaluate("document.activeElement.getAttribute('href')") == before

        await page.evaluate("document.activeElement.blur()")
        await page.wait_for_selector("#new :text('later')")


async def test_no_page_is_wider_than_a_phone(browser: Browser, site: Site) -> None:
    entry = next(site.book.store.entries(strategy="calls.exact"))
    for path in ("/", f"/entry/{entry.id}"):
        async with opened(browser, site.address + path, viewport=PHONE) as page:
            for details in await page.query_selector_all("summary"):
                await details.click()

            assert not await is_too_wide(page), path
    async with served() as empty, opened(browser, empty.address, viewport=PHONE) as page:
        assert not await is_too_wide(page)


async def test_without_its_script_the_page_shows_the_same(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address, java_script_enabled=False) as page:
        assert "calls needed no model" in await page.locator("h1").inner_text()
        assert not await page.locator("#live").is_visible()


async def test_nothing_on_the_page_moves_by_itself(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        assert await page.evaluate("document.getAnimations().length") == 0


async def test_the_changes_are_told_to_those_who_listen(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        assert await page.get_attribute("#say", "role") == "status"
        await hide(page, "true")
        await site.until_listeners(0)
        site.add(call("told", 0.5))
        await hide(page, "false")

        await page.wait_for_function(
            "() => document.getElementById('say').textContent.includes('avoided')"
        )


async def test_an_entry_is_one_click_away_and_leads_back(browser: Browser, site: Site) -> None:
    async with opened(browser, site.address) as page:
        await page.click("#new a >> nth=0")
        await page.wait_for_selector("text=How it was made")
        await page.click("text=← Overview")

        await page.wait_for_selector("h1:has-text('needed no model')")
