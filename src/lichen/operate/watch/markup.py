"""Markup: HTML in small pieces, safe by type.

What is `Markup` stands as it is; any other text is escaped. So a model that calls itself
"<script>" is shown by that name and does nothing else.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Their end tags may be left out. Source: HTML Living Standard, §13.1.2.4 "Optional tags".
_OPEN = frozenset({"dd", "dt", "li", "tbody", "td", "th", "thead", "tr"})
_VOID = frozenset({"link", "meta"})
# A value of these characters needs no quotes. Source: the same, §13.1.2.3 "Attributes".
_BARE = re.compile(r"[\w.:/?%#-]*[\w.:?%#-]", re.ASCII)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(anything: object) -> Markup:
    """Anything as HTML that shows it."""
    return anything if isinstance(anything, Markup) else Markup(html.escape(str(anything)))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Pieces one after the other."""
    return Markup(text(between).join(text(part) for part in parts))


def el(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element; `class_` is class, `aria_label` is aria-label, a value of True has no value."""
    written = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    end = "" if name in _OPEN else f"</{name}>"
    return Markup(f"<{name}{written}>{join(children)}{end}")


def _attribute(name: str, value: object) -> str:
    if value is True:
        return f" {name}"
    shown = str(value)
    if _BARE.fullmatch(shown):
        return f" {name}={shown}"
    # Within double quotes only these two end or begin anything.
    quoted = shown.replace("&", "&amp;").replace('"', "&quot;")
    return f' {name}="{quoted}"'
