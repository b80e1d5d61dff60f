"""The page of the grid in a real browser: axe, keyboard, a phone, its weight, a slow source."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Carbon
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.operate.watch import Watch
from lichen.operate.watch.grid import Asked, Job, Seen
from tests.end_to_end.dashboard.conftest import served
from tests.end_to_end.dashboard.looking import PHONE, is_too_wide, violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.end_to_end.dashboard.conftest import Site, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
HOUR = timedelta(hours=1)


def signal(start: datetime, count: int, spread: float) -> GridSignal:
    """A grid that is dirty in the evening."""
    values = tuple(300 + 150 * math.sin((start.hour + n) * math.pi / 12) for n in range(count))
    return GridSignal(
        zone="DE",
        kind=SignalKind.AVERAGE,
        basis=Basis.MODELLED,
        source="a forecast of somebody's",
        issued_at=start,
        start=start,
        step=HOUR,
        values=values,
        lows=tuple(value / spread for value in values),
        highs=tuple(value * spread for value in values),
    )


def grams(value: float) -> Estimate[Carbon]:
    return Estimate.around(Carbon.grams(value), 1.3)


class Looked:
    """What was seen of a grid with two jobs; or nothing yet."""

    def __init__(self, *, blind: bool = False) -> None:
        self.blind = blind

    def seen(self) -> Seen | None:
        if self.blind:
            return None
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        later = (now + 9 * HOUR, now + 13 * HOUR)
        jobs = (
            Job("1f0a", "python train.py", "waiting", (later,), grams(900.0), None, "–"),
            Job("1f09", "python train.py", "done", ((now - 9 * HOUR, now - 6 * HOUR),),
                grams(500.0), grams(420.0)),
            Job("1f08", "python late.py", "done", ((now - 20 * HOUR, now - 19 * HOUR),),
                grams(50.0), Estimate.around(Carbon.grams(-35.0), 1.3)),
        )  # fmt: skip
        asked = (Asked("neso", "left out", "it knows no DE"), Asked("Forecaster", "answered", ""))
        past, ahead = signal(now - 24 * HOUR, 24, 1.2), signal(now, 48, 1.4)
        return Seen("DE", now, past=past, ahead=ahead, asked=asked, jobs=jobs)


@asynccontextmanager
async def grid_served(looked: Looked) -> AsyncIterator[Site]:
    async with served() as site:
        site.watch = Watch(site.book, lookout=looked)
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def grid_site() -> AsyncIterator[Site]:
    async with grid_served(Looked()) as site:
        yield site


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_wrong(visit: Visit, grid_site: Site, scheme: str) -> None:
    async with visit(grid_site.address + "/grid", color_scheme=scheme) as page:
        for summary in await page.query_selector_all("summary"):
            await summary.click()

        assert await violations(page) == []


async def test_the_page_is_light_and_asks_for_little(visit: Visit, grid_site: Site) -> None:
    async with visit(grid_site.address + "/grid"):
        assert len(grid_site.requests) <= 8
        assert grid_site.sent <= 30_000


async def test_it_is_reached_from_the_overview_and_leads_back(
    visit: Visit, grid_site: Site
) -> None:
    async with visit(grid_site.address) as page:
        await page.get_by_role("link", name="Grid").click()
        assert "emits" in await page.locator("h1").inner_text()

        await page.get_by_role("link", name="lichen, overview").click()
        assert "No call" in await page.locator("h1").inner_text()


async def test_the_table_twin_opens_by_keyboard_and_holds_every_hour(
    visit: Visit, grid_site: Site
) -> None:
    async with visit(grid_site.address + "/grid") as page:
        await page.focus("summary")
        await page.keyboard.press("Enter")

        assert await page.locator("#twin tbody tr").count() == 72
        assert await page.locator("#twin").get_by_text("recorded").count() == 24


async def test_pointing_at_the_chart_reads_out_the_hour(visit: Visit, grid_site: Site) -> None:
    async with visit(grid_site.address + "/grid") as page:
        # Not `hover`: whether something is drawn in the very middle depends on the hour.
        box = await page.locator("#chart svg svg").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

        assert "gCO₂e/kWh" in str(await page.locator("#read").text_content())


async def test_a_loss_is_shown_as_a_loss(visit: Visit, grid_site: Site) -> None:
    async with visit(grid_site.address + "/grid") as page:
        assert await page.locator("#jobs .l").inner_text() == "−35.0 gCO₂e"


async def test_it_is_no_wider_than_a_phone(visit: Visit, grid_site: Site) -> None:
    async with visit(grid_site.address + "/grid", viewport=PHONE) as page:
        for summary in await page.query_selector_all("summary"):
            await summary.click()

        assert not await is_too_wide(page)


@pytest.mark.parametrize("width", [360, 420])
async def test_the_id_of_a_job_stands_in_one_line_on_a_phone(
    visit: Visit, grid_site: Site, width: int
) -> None:
    screen = {"width": width, "height": 900}
    async with visit(grid_site.address + "/grid", viewport=screen) as page:
        small = page.locator("#jobs tbody th small").first
        await small.evaluate("each => { each.textContent = '055379a2e8d623e8' }")
        lines = await small.evaluate("each => each.getClientRects().length")
        tall = await small.evaluate(
            "each => each.offsetHeight / parseFloat(getComputedStyle(each).fontSize)"
        )

        assert lines == 1
        assert tall < 2
        assert not await is_too_wide(page)


async def test_before_anything_was_seen_it_says_so(visit: Visit) -> None:
    async with grid_served(Looked(blind=True)) as site, visit(site.address + "/grid") as page:
        assert await violations(page) == []
        assert await page.locator("h1").inner_text() == "The grid is being asked."
