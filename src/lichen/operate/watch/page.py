"""Page: an answer to a browser, and the frame that every page shares.

Nothing on a page comes from elsewhere and nothing in it runs but its one script: the content
security policy says so to the browser, which holds us to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.operate.watch.assets import SCRIPT, STYLE, asset
from lichen.operate.watch.markup import Markup, el, join

if TYPE_CHECKING:
    from collections.abc import Sequence

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
GUARDS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)
# A rosette of five lobes: a leaf-like lichen from above.
_CENTRES = ((12, 6), (17.7, 10.2), (15.5, 17), (8.5, 17), (6.3, 10.2))
_LOBES = "".join(f"<circle cx='{x}' cy='{y}' r='4.7'/>" for x, y in _CENTRES)
_ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' "
    f"fill='%235b9a74'>{_LOBES}</svg>"
)
# What the count of a page's own bytes is put in the place of; as long as what replaces it.
_WEIGHT = "00.0 kB"


@dataclass(frozen=True, slots=True)
class Page:
    """A status, headers with lower-case names, and a body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page's own part: its title, what stands at the top, at the foot."""

    title: str
    top: Sequence[object] = ()
    foot: Sequence[object] = ()


def html_page(frame: Frame, *main: object, status: int = 200) -> Page:
    """A whole page; where its foot names its own weight, the count is put in."""
    body = _document(frame, main)
    weight = len(body.encode()) + sum(len(asset(name).body) for name in (STYLE, SCRIPT))
    shown = f"{weight / 1000:04.1f} kB"
    return Page(
        status,
        (
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            *GUARDS,
        ),
        body.replace(_WEIGHT, shown, 1).encode(),
    )


def own_weight() -> str:
    """Stands for the bytes of a page, its style and its script, until they are counted. [kB]"""
    return _WEIGHT


def _document(frame: Frame, main: Sequence[object]) -> str:
    head = join(
        (
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width,initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", frame.title),
            el("link", rel="stylesheet", href=asset(STYLE).address),
            el("link", rel="icon", href=Markup(_ICON)),
            el("script", src=asset(SCRIPT).address, defer=True),
        )
    )
    mark = el("a", _logo(), "lichen", href="/", class_="mark", aria_label="lichen, overview")
    body = join(
        (
            el("a", "Skip to the figures", href="#main", class_="skip"),
            el("header", mark, *frame.top),
            el("main", *main, id="main", tabindex="-1"),
            el("footer", *frame.foot),
        )
    )
    return f'<!doctype html><html lang="en">{head}{body}</html>'


def _logo() -> Markup:
    return Markup(f"<svg viewBox='0 0 24 24' aria-hidden='true'>{_LOBES}</svg>")


def plain_page(status: int, kind: str, body: str) -> Page:
    """A page of plain text."""
    return Page(
        status, (("content-type", kind), ("cache-control", "no-store"), *GUARDS), body.encode()
    )
