"""Spending: what a call takes from a budget, estimated before it goes and known when it is back.

    tokens    read + written
    energy    the value, not the interval, of the token model or of the meter            [Wh]
    carbon    operational and embodied, on the grid at the time                          [gCO₂e]
    money     the model's price for each class of tokens                                 [currency]

Before: tokens read by the call's bytes, tokens written by answers so far, no more than the call
allows. A price nobody knows is no 0: such a call passes uncharged, and the book counts a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.gate.price import scaled
from lichen.calls.providers.prices import price_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Exchange, Record
    from lichen.calls.gate.outputs import Outputs
    from lichen.calls.steps import StepParts
    from lichen.ledger.ports import CallReading
    from lichen.ledger.tokens import Tokens

    # The price of a call in a currency, by provider, model and tokens; None where nobody knows it.
    Prices = Callable[[str, str, Tokens, str], float | None]


class Spending:
    """Measures calls in what budgets limit."""

    def __init__(self, parts: StepParts, outputs: Outputs, prices: Prices) -> None:
        self._upstream = parts.upstream
        self._pricer = parts.book.pricer
        self._outputs = outputs
        self._prices = prices

    def expected(self, exchange: Exchange, of: str, currency: str) -> float | None:
        """What a call will take, estimated; None where nobody can tell."""
        call = exchange.call
        assert call is not None
        tokens = self._outputs.tokens(exchange, self._outputs.value(exchange))
        model = self._upstream.model or call.model
        if of == "tokens":
            return float(tokens.total)
        if of == "money":
            return self._prices(exchange.provider, model, tokens, currency)
        out = self._outputs
        reading = self._pricer.calls.read(model, tokens)
        reading = scaled(reading, out.scale, out.scale_embodied)
        return self._amount(of, reading, self._upstream.zone, exchange.started_us)

    def taken(self, record: Record, provider: str, of: str, currency: str) -> float | None:
        """What a call to a provider took; None where nobody can tell."""
        tokens = record.tokens
        if tokens is None:
            return None
        if of == "tokens":
            return float(tokens.total)
        if of == "money":
            return self._prices(provider, record.model, tokens, currency)
        reading = record.reading or self._pricer.calls.read(record.model, tokens)
        return self._amount(of, reading, record.zone, record.started_us)

    def _amount(self, of: str, reading: CallReading, zone: str, at_us: int) -> float:
        if of == "energy":
            return reading.energy.value.in_wh
        made, _ = self._pricer.footprint(reading, zone, at_us)
        return made.carbon.value.amount


def listed(provider: str, model: str, tokens: Tokens, currency: str) -> float | None:
    """The provider's list price of a call; None where it is not in the list, or in other money."""
    price = price_of(provider, model, tokens.input)
    cost = price.cost(tokens) if price is not None else None
    return cost.amount if cost is not None and cost.currency == currency else None
