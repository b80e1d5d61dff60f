"""How the tests of pages look at them: by axe, and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

# WCAG 2.2, 1.4.10: nothing scrolls sideways at 320 px.
PHONE = {"width": 320, "height": 740}


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page."""
    from axe_playwright_python.async_playwright import Axe

    found = await Axe().run(page)
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found.response["violations"]]


async def is_too_wide(page: Page) -> bool:
    """Whether one has to scroll sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > innerWidth"))
