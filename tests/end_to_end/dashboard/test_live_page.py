"""The dashboard in a real browser: what a person sees, and what passes over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.end_to_end.dashboard.conftest import Site, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def hide(page: Page, hidden: str) -> None:
    """Hide or show the tab as its script sees it: a headless browser has no other tab in front."""
    await page.evaluate(
        f"""Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});
        document.dispatchEvent(new Event('visibilitychange'))"""
    )


async def test_the_page_shows_the_hour(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        heading = await page.text_content("h1")
        drawn = await page.locator("#chart path.a2").get_attribute("d")

    assert heading is not None
    assert heading.endswith("calls needed no model.")
    assert drawn is not None
    assert drawn.count("M") > 50


async def test_a_call_appears_by_itself(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await site.until_listeners(1)
        before = await page.text_content("h1")
        site.call("a-new-model")

        await page.wait_for_selector("#new :text('a-new-model')")

        assert await page.text_content("h1") != before
        assert site.requests.count("/") == 1


async def test_the_first_call_fills_the_empty_page(visit: Visit, empty_site: Site) -> None:
    async with visit(empty_site.address) as page:
        await empty_site.until_listeners(1)
        assert await page.text_content("h1") == "No call has come through yet."

        empty_site.call("first")

        await page.wait_for_selector("h1:has-text('1 call, each answered by a model.')")


async def test_pointing_at_the_chart_reads_out_its_table(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
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


async def test_a_cold_visit_stays_within_its_budget(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await site.until_listeners(1)
        weight = await page.text_content("footer")

    assert site.sent <= 30_000
    assert len(site.requests) <= 8
    assert weight is not None
    assert "in 3 requests" in weight


async def test_a_second_visit_asks_for_no_file_again(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await page.goto(f"{site.address}/?span=day")

    assert len([path for path in site.requests if path.startswith("/assets/")]) == 2


async def test_nothing_is_asked_and_nothing_is_sent_while_the_tab_is_hidden(
    visit: Visit, site: Site
) -> None:
    async with visit(site.address) as page:
        await site.until_listeners(1)
        await hide(page, "true")
        await site.until_listeners(0)
        requests, sent = len(site.requests), site.sent
        site.call("while-hidden")

        await hide(page, "false")
        await page.wait_for_selector("text=while-hidden")

        asked = site.requests[requests:]
        assert [path.partition("?")[0] for path in asked] == ["/events"]
        assert site.sent > sent


async def test_live_updates_can_be_paused(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await site.until_listeners(1)
        await page.click("#live")
        await site.until_listeners(0)

        assert await page.get_attribute("#live", "aria-pressed") == "false"


async def test_the_changes_are_told_to_those_who_listen(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        assert await page.get_attribute("#say", "role") == "status"
        await hide(page, "true")
        await site.until_listeners(0)
        site.call("told")
        await hide(page, "false")

        await page.wait_for_function(
            "() => document.getElementById('say').textContent.includes('avoided')"
        )


async def test_an_entry_is_one_click_away_and_leads_back(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await page.click("#new a >> nth=0")
        await page.wait_for_selector("text=How it was made")
        await page.click("text=← Overview")

        await page.wait_for_selector("h1:has-text('needed no model')")
