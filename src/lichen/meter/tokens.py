"""The token meter: energy and embodied carbon of a model call, from its tokens.

    E = Σ nᵢ·eᵢ(model)      M = Σ nᵢ·mᵢ(model)      each with a 90 % interval

nᵢ  tokens of a class: prefill, cache read, cache write, decode (reasoning is decode), and the pairs
    of tokens that attention looks at while reading and while writing   [token, token²]
eᵢ  energy at the wall of the data centre: accelerator, host, idle, PUE [J/token]
mᵢ  embodied carbon of the accelerator and server time                  [gCO₂e/token]

The first call of a model draws its coefficients (some 12 ms, 40 where it is unknown); after that a
call is a dot product. It reads one call at a time: attention makes a long call dearer than its
halves.

Source: docs/method/energy.md, docs/method/embodied.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Carbon, Energy
from lichen.meter.models import Model, Registry, Size, registry
from lichen.meter.token_coefficients import PARTS, Interval, bills, spread_of
from lichen.meter.token_factors import VERSION, Draw, draws, published
from lichen.meter.token_spread import Fixed, LogNormal, LogUniform, Spread, Uniform

if TYPE_CHECKING:
    from lichen.ledger.tokens import Tokens
    from lichen.meter.token_coefficients import Vector

__all__ = ["Fixed", "LogNormal", "LogUniform", "Spread", "TokenMeter", "Uniform"]

# Names come from outside: this many are remembered before the meter starts afresh. [1]
REMEMBERED = 4096


class Prices(NamedTuple):
    """What a token of each class costs: energy [J] and embodied carbon [gCO₂e]."""

    energy: Interval
    embodied: Interval


class Rates(NamedTuple):
    """The prices of one model, and what had to be assumed for them."""

    energy: Interval
    embodied: Interval
    gaps: tuple[str, ...]


def counts(tokens: Tokens) -> Vector:
    """Tokens of each class and the pairs attention looks at, as `CLASSES` orders them."""
    fresh = tokens.prefill + tokens.cache_write
    context = fresh + tokens.cache_read
    output = tokens.decode + tokens.reasoning
    return (
        float(tokens.prefill),
        float(tokens.cache_read),
        float(tokens.cache_write),
        float(output),
        fresh * (tokens.cache_read + fresh / 2),
        output * (context + output / 2),
    )


def across(smallest: Interval, middle: Interval, largest: Interval) -> Interval:
    """From the low of the smallest to the high of the largest, the middle between them."""
    return Interval(smallest.low, middle.value, largest.high)


class TokenMeter:
    """Prices model calls from their tokens; implements `lichen.ledger.ports.CallMeter`.

    Any factor of token_factors.csv can be given another spread, where you know better:
    `TokenMeter(batch=Fixed(64), pue=Fixed(1.1))`. `factors` then says so.

    Raises:
        InputError: there is no factor of that name.
    """

    method = "tokens/1"

    def __init__(self, **changed: Spread) -> None:
        """Take the published factors, those in `changed` put in their place."""
        self._registry: Registry = registry()
        self._draws: tuple[Draw, ...] = draws(changed)
        self._pue = (changed.get("pue") or published()["pue"]).at(0.5)
        self._rates: dict[str, Rates] = {}
        self._prices: dict[tuple[Size, bool], Prices] = {}
        self.factors = "; ".join(
            (self._registry.version, VERSION, *(f"{k}={v}" for k, v in sorted(changed.items())))
        )

    def read(self, model: str, tokens: Tokens) -> CallReading:
        """Energy at the wall [J] and embodied carbon [gCO₂e] of one call.

        A model that is not known is priced as wide as its family, or as the whole registry, and
        `gaps` says so. A call without tokens used nothing.
        """
        rates = self._rates.get(model) or self._learn(model)
        count = counts(tokens)
        low, value, high = rates.energy.of(count)
        light, middle, heavy = rates.embodied.of(count)
        return CallReading(
            Estimate.of(Energy, value, low, high, Basis.MODELLED),
            Estimate.of(Carbon, middle, light, heavy, Basis.MODELLED),
            rates.gaps,
            pue=self._pue,
        )

    def parts(self, model: str, tokens: Tokens) -> dict[str, Estimate[Energy]]:
        """The energy of one call by part: accelerator, host, idle, overhead. [J]

        Each part has its own interval, so the values need not add up to the whole's.
        """
        count = counts(tokens)
        found = self._registry.find(model)
        made = {part: self._interval(found, part).of(count) for part in PARTS}
        return {
            part: Estimate(Energy(value), Energy(low), Energy(high), Basis.MODELLED)
            for part, (low, value, high) in made.items()
        }

    def model(self, name: str) -> Model:
        """What is known of the model called `name`: its size, source, flags and gaps."""
        return self._registry.find(name)

    def _learn(self, name: str) -> Rates:
        found = self._registry.find(name)
        # Many names are of one size, above all the unknown ones that strangers send.
        key = (found.size, bool(found.gaps))
        prices = self._prices.get(key) or Prices(
            self._interval(found, "energy"), self._interval(found, "embodied")
        )
        if len(self._rates) >= REMEMBERED:
            self._rates.clear()
            self._prices.clear()
        self._prices[key] = prices
        self._rates[name] = rates = Rates(*prices, found.gaps)
        return rates

    def _interval(self, model: Model, quantity: str) -> Interval:
        if not model.gaps:
            return spread_of(bills(model.size, self._draws), quantity)
        ends = (model.size.smallest(), model.size.middle(), model.size.largest())
        return across(*(spread_of(bills(size, self._draws), quantity) for size in ends))
