"""Level: how far a call's prompt may be shortened, which divides answers as a header does.

    level = the lesser of the route's and of the call's x-lichen-compress;  off < lossless < lossy

An answer that was made of a shorter prompt is no answer to a call that asks for more of it: so the
level is part of the key (key.py), and with it of all that goes by keys: stored and shared answers,
calls under way, like questions, repeated calls. Where nothing is shortened, nothing is divided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.exchange import Call, Headers
    from lichen.calls.rules import RouteRule

OFF, LOSSLESS, LOSSY = "off", "lossless", "lossy"
WISH = b"x-lichen-compress"


def level_of(call: Call, rule: RouteRule | None, headers: Headers) -> str:
    """How a call's prompt may be shortened; a client may ask for less than its route, not more."""
    if rule is None or rule.compress == OFF or call.kind in call.dialect.embeds:
        return OFF
    wished = next((value.strip().lower() for name, value in headers if name == WISH), b"")
    if wished == b"off" or (wished == b"lossless" and rule.compress == LOSSY):
        return wished.decode()
    return rule.compress
