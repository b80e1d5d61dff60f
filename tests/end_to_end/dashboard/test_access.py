"""The dashboard for everyone: axe, keyboard, focus, small screens, no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.dashboard.looking import PHONE, is_too_wide, violations

if TYPE_CHECKING:
    from tests.end_to_end.dashboard.conftest import Site, Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_wrong(visit: Visit, site: Site, scheme: str) -> None:
    async with visit(site.address, color_scheme=scheme) as page:
        await page.click("summary")
        assert await violations(page) == []

        await page.goto(site.address + site.a_hit())
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_wrong_with_the_empty_page(
    visit: Visit, empty_site: Site, scheme: str
) -> None:
    async with visit(empty_site.address, color_scheme=scheme) as page:
        assert await violations(page) == []


async def test_the_table_twin_opens_by_keyboard_and_holds_the_chart(
    visit: Visit, site: Site
) -> None:
    async with visit(site.address) as page:
        table = page.locator("#twin")
        assert not await table.is_visible()

        await page.focus("summary")
        await page.keyboard.press("Enter")

        assert await table.is_visible()
        assert await table.locator("tbody tr").count() == 60


async def test_every_control_is_reached_by_keyboard_and_shows_its_focus(
    visit: Visit, site: Site
) -> None:
    async with visit(site.address) as page:
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


async def test_the_first_control_leads_past_the_navigation(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the figures"

        await page.keyboard.press("Enter")

        assert await page.evaluate("document.activeElement.id") == "main"


async def test_focus_stays_where_it_is_while_the_page_changes(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        await site.until_listeners(1)
        link = page.locator("#new a").first
        await link.focus()
        before = await link.get_attribute("href")
        heading = await page.text_content("h1")
        site.call("later")
        await page.wait_for_function(
            "h => document.querySelector('h1').textContent != h", arg=heading
        )
        await page.wait_for_function("() => later.has('new')")

        assert await page.evaluate("document.activeElement.getAttribute('href')") == before

        await page.evaluate("document.activeElement.blur()")
        await page.wait_for_selector("#new :text('later')")


async def test_no_page_is_wider_than_a_phone(visit: Visit, site: Site, empty_site: Site) -> None:
    for path in ("/", site.a_hit()):
        async with visit(site.address + path, viewport=PHONE) as page:
            for details in await page.query_selector_all("summary"):
                await details.click()

            assert not await is_too_wide(page), path
    async with visit(empty_site.address, viewport=PHONE) as page:
        assert not await is_too_wide(page)


async def test_without_its_script_the_page_shows_the_same(visit: Visit, site: Site) -> None:
    async with visit(site.address, java_script_enabled=False) as page:
        assert "calls needed no model" in await page.locator("h1").inner_text()
        assert not await page.locator("#live").is_visible()


async def test_nothing_on_the_page_moves_by_itself(visit: Visit, site: Site) -> None:
    async with visit(site.address) as page:
        assert await page.evaluate("document.getAnimations().length") == 0
