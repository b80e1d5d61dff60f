"""Prices: what a provider asks for a token of each class, alone and in a batch.

    cost = prefill·i + cache_read·c + cache_write·w + (decode + reasoning)·o      [USD]
    in a batch: i, w and o × b; c × b where the discounts stack, else the lower of c and i·b

i  price of a fresh input token    [USD/10⁶ token]    c  of one read from the provider's cache
w  of one written to it                               o  of an output token
b  what a batch costs of the usual price              [1]

Where they do not stack, a token that the cache holds is billed as one, in a batch or not: at Gemini
"the 90 % cache hit discount takes precedence over the batch discount".

Source: prices.csv, row by row, with the day it was looked up. A model that is not there has no
price: unknown is not zero.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.quantities import Money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.tokens import Tokens

_PER = 1e-6


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs, for prompts of more than `over` tokens. [USD/10⁶ token]

    `batch` is what a batch costs of that [1]; `stacks` whether a cached token is cheaper still in
    one. `minimum` is the shortest prefix that the provider keeps. [token]
    """

    provider: str
    model: str
    over: int
    input: float
    cached: float
    written: float
    output: float
    batch: float
    stacks: bool
    minimum: int
    source: str
    retrieved: str

    def cost(self, tokens: Tokens, *, batched: bool = False) -> Money:
        """What a call of these tokens costs. [USD]"""
        share = self.batch if batched else 1.0
        cached = self.cached
        if batched:
            cached = cached * share if self.stacks else min(cached, self.input * share)
        amount = (
            tokens.prefill * self.input * share
            + tokens.cache_read * cached
            + tokens.cache_write * self.written * share
            + tokens.output * self.output * share
        )
        return Money(amount * _PER)


class Prices(Protocol):
    """Knows prices, as `price_of` does."""

    def __call__(self, provider: str, model: str, read: int = 0, /) -> Price | None:
        """The price of a model for a prompt of so many tokens; None where nobody knows it."""
        ...


@lru_cache(maxsize=256)
def _rows(provider: str, model: str) -> tuple[Price, ...]:
    """The rows of a model, the dearest last: those of the first glob that matches."""
    globs = [row for row in prices() if row.provider == provider and fnmatchcase(model, row.model)]
    return tuple(row for row in globs if row.model == globs[0].model)


def price_of(provider: str, model: str, read: int = 0) -> Price | None:
    """The price of a model for a prompt of so many tokens; None where nobody here knows it."""
    rows = _rows(provider, model)
    return max((r for r in rows if r.over <= read), key=lambda r: r.over, default=None)


@cache
def prices() -> tuple[Price, ...]:
    """All prices known here, in the order in which their globs are tried; read on first use."""
    table = files("lichen.calls.providers").joinpath("prices.csv").read_text(encoding="utf-8")
    return tuple(_price(row) for row in csv.DictReader(table.splitlines()))


def _price(row: Mapping[str, str]) -> Price:
    return Price(
        provider=row["provider"],
        model=row["model"],
        over=int(row["over"]),
        input=float(row["input"]),
        cached=float(row["cached"]),
        written=float(row["written"]),
        output=float(row["output"]),
        batch=float(row["batch"]),
        stacks=row["stacks"] == "yes",
        minimum=int(row["minimum"]),
        source=row["source"],
        retrieved=row["retrieved"],
    )
