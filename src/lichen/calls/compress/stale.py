"""Stale: what tools said long ago, taken out where the settings allow it.

    collapse where   S · r · c  ≥  (1 − c) · R

S  what is taken out                                                             [token]
r  turns of the model for which it stays out before more is taken out             [turn]
c  the price of a token read from the provider's cache, of one computed afresh   [1]
R  what comes after the first text newly taken out: it is computed once more     [token]

Taking out what was sent before breaks the provider's prompt cache from there on, so it is done once
in r turns and only where it pays. Within those turns the same texts stay out.

Source: Anthropic, "Prompt caching" (a cache read costs 0.1 of an input token), 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.compress.prompt import Place

_CACHED_PRICE = 0.1
# Source: OpenAI Help Center, "What are tokens and how to count them?" [character]
_PER_TOKEN = 4
# What is shorter stays: its notice would be as long. [character]
_SHORTEST = 400


def stale(places: Sequence[Place], recent: int) -> frozenset[bytes]:
    """The texts that are taken out, by their chains; none where that does not pay."""
    turns = max((place.turn for place in places), default=0)
    epoch = turns // recent * recent
    out = [place for place in places if place.turn <= epoch - recent and _is_long_output(place)]
    newly = [place for place in out if place.turn > epoch - 2 * recent]
    if newly:
        begin = places.index(newly[0])
        after = [place for place in places[begin:] if place.turn <= epoch and place not in newly]
        spared, again = _tokens(newly), _tokens(after)
        if spared * recent * _CACHED_PRICE < (1 - _CACHED_PRICE) * again:
            out = [place for place in out if place not in newly]
    return frozenset(place.chain for place in out)


def notice(text: str) -> str:
    """What stands where a text was taken out."""
    return f"<taken out: {len(text):,} characters that a tool gave earlier; ask it again>"


def _is_long_output(place: Place) -> bool:
    return place.role == "tool" and not place.pinned and len(place.text) >= _SHORTEST


def _tokens(places: Sequence[Place]) -> float:
    return sum(len(place.text) for place in places) / _PER_TOKEN
