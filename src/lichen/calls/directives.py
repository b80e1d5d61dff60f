"""Directives: what a request's Cache-Control header asks of the answer store.

    no-store            neither answer from the store nor keep the answer
    no-cache            ask the upstream, then keep the new answer
    max-age=N           a stored answer serves if it is at most N seconds old
    only-if-cached      a stored answer or nothing (504)
    stale-if-error=N    an answer up to N seconds past its time serves if the upstream fails

Source: RFC 9111 §5.2.1 (HTTP Caching), RFC 5861 §4 (stale-if-error).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Directives:
    """A request's wishes. Times in seconds, None where not said."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: float | None = None
    stale_if_error: float | None = None


NO_WISHES = Directives()


@lru_cache(maxsize=256)
def parse(header: bytes) -> Directives:
    """The directives of a Cache-Control header; unknown ones and bad numbers are left out."""
    found: dict[str, float | None] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, value = part.strip().partition("=")
        found[name.strip()] = _seconds(value)
    return Directives(
        no_store="no-store" in found,
        no_cache="no-cache" in found,
        only_if_cached="only-if-cached" in found,
        max_age=found.get("max-age"),
        stale_if_error=found.get("stale-if-error"),
    )


def _seconds(value: str) -> float | None:
    text = value.strip().strip('"')
    return float(text) if text.isascii() and text.isdigit() else None
