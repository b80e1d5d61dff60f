"""Booking: the uses of a batch's results as entries of the ledger, each as of a call upstream.

    used = price(tokens, zone, time of the fetch)      strategy "none", one request each

When the batch ran is not told: the grid is taken when its results were fetched, and the entry says
so. Which batch it was stands in `provider_batch`, which of its lines in `batch_line`, and what it
cost, as a part of what it would have cost alone, in `price_share` where its price is known.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.calls.batch.fetched.uses import Use
from lichen.calls.batch.results import IN_BATCH, TIME_UNKNOWN
from lichen.calls.providers.prices import price_of
from lichen.calls.reuse import NOT_PRICED, UNKNOWN
from lichen.ledger.entry import NONE, Entry, Figures
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work, from_microseconds

if TYPE_CHECKING:
    from lichen.calls.batch.fetched.paths import Which
    from lichen.ledger.book import Book

LINE = "batch_line"
_REQUEST, _NO_REQUEST = Work(1, "request"), Work(0, "request")
_NOTHING = Footprint.zero()
# The clocks of the database and of who books may differ by so much.
_CLOCKS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Fetch:
    """One fetch of results: which, by whom, and where the model ran; `model` where that is one."""

    which: Which
    tenant: str
    zone: str
    model: str = ""


def entry_of(book: Book, fetch: Fetch, place: int, use: Use) -> Entry:
    """The entry of the line at a place, now."""
    now_us = time.time_ns() // 1000
    try:
        figures = _figures(book, fetch, place, use, now_us)
    except Exception:  # noqa: BLE001 (one that has no price is a gap, and the others have theirs)
        figures = _figures(book, fetch, place, Use(use.kind, use.model, gap=NOT_PRICED), now_us)
    return Entry(new_id(now_us), now_us, now_us, fetch.tenant, figures)


def booked_lines(book: Book, fetch: Fetch, begun_us: int) -> frozenset[int]:
    """The places of the lines that the ledger has of a batch, since that time. [µs since 1970]

    Raises:
        StoreUnavailable: the ledger cannot be read.
    """
    book.flush()
    since = from_microseconds(begun_us) - _CLOCKS
    return frozenset(
        int(raw[LINE])
        for raw in (entry.figures.raw for entry in book.store.entries(since=since))
        if raw.get(IN_BATCH) == fetch.which.name and LINE in raw
    )


def _figures(book: Book, fetch: Fetch, place: int, use: Use, now_us: int) -> Figures:
    """What one line used; of a line whose use nobody can tell, that it is not known."""
    model = fetch.model or use.model
    raw: dict[str, float | str] = {IN_BATCH: fetch.which.name, LINE: place}
    made, work = _NOTHING, _NO_REQUEST
    gaps: tuple[str, ...] = (use.gap,)
    method, factors = UNKNOWN, ""
    if use.tokens is not None:
        calls = book.pricer.calls
        made, found = book.pricer.footprint(calls.read(model, use.tokens), fetch.zone, now_us)
        gaps, work = (TIME_UNKNOWN, *found), _REQUEST
        method, factors = calls.method, calls.factors
        raw |= _priced(fetch.which.provider, model, use.tokens)
    return Figures(
        name=use.kind,
        strategy=NONE,
        work=work,
        footprint=made,
        method=method,
        factors=factors,
        zone=fetch.zone,
        model=model,
        tokens=use.tokens or Tokens(),
        raw=raw,
        gaps=gaps,
    )


def _priced(provider: str, model: str, tokens: Tokens) -> dict[str, float]:
    """What a line cost in its batch, and would have cost alone [USD], where that is known."""
    price = price_of(provider, model, tokens.input)
    if price is None:
        return {}
    return {
        "price_share": price.batch,
        "cost_usd": price.cost(tokens, batched=True).amount,
        "cost_alone_usd": price.cost(tokens).amount,
    }
