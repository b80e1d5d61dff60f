"""Joint: shorten a call, keep its prefix at the provider, or let it wait, priced before acting.

The three get in each other's way: a prefix that is shortened is another prefix, which the provider
does not hold; a call that waits comes when the prefix is gone; and not all discounts stack. So all
ways are priced together, for this call and for those that will come with the same prefix:

    cost(way) = cost of this call + again × cost of a later one        in USD, and in Wh

    prefix p, held with probability h:   h·p read, (1 − h)·p written; a later call reads p
    not kept:                            p fresh, now and later
    shortened by s:                      p → (1 − s)·p, and h → 0 where it was not so before

A batch has a price of its own and hits the cache less often; it takes as many Wh as the same calls
at once (when a grid is greener is for `plan` to say). Ways are compared by money and energy, each
as a share of what it would be to do nothing:

    score(way) = ½ · USD(way) / USD(nothing) + ½ · Wh(way) / Wh(nothing)

Where nobody knows the model's price, by energy alone.

Source: the rules of the discounts: providers/prices.py; how often a batch hits: Anthropic, "Batch
processing" (30 to 98 %, best effort).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import orjson

from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lichen.calls.exchange import Call
    from lichen.calls.providers.prices import Price

    # Energy of a call of these tokens. [Wh]
    Energy = Callable[[Tokens], float]

NOTHING, TAIL, ALL = "nothing", "tail", "all"
# Of the prefixes that a provider would hold, how many a batch finds: the low end of what is told.
_FOUND_BY_BATCH = 0.3
# One token of English text is about four bytes.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
_BYTES_PER_TOKEN = 4
# What an answer is taken to have where the call sets no bound. [token]
_WRITTEN = 300


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a call before it is sent. Token counts may be estimates.

    Attributes:
        prefix: tokens at the begin that other calls have too. [token]
        tail: the rest of the prompt. [token]
        written: tokens it will be answered with. [token]
        held: how likely the provider holds the prefix now. [1]
        again: how many calls will come with it while it is held. [1]
        marks: whether the prefix is kept only where the call says so, as at Anthropic.
        can_wait: whether the answer may come in a day.
        shorter_tail: the share of the tail's tokens that compression takes away. [1]
        shorter_prefix: the same of the prefix's. [1]
        was_shorter: whether the prefix went out shortened before, so that it is held shortened.
        effort: what compressing takes. [Wh]
    """

    prefix: int
    tail: int
    written: int
    held: float = 0.0
    again: float = 0.0
    marks: bool = False
    can_wait: bool = False
    shorter_tail: float = 0.0
    shorter_prefix: float = 0.0
    was_shorter: bool = False
    effort: float = 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send a call: what is shortened ("nothing", "tail", "all"), kept, and batched.

    `usd` is None where the price is not known. Both are for the call and those that follow it.
    """

    shorten: str
    keep: bool
    batch: bool
    now: Tokens
    wh: float
    usd: float | None

    @property
    def name(self) -> str:
        """What it does, in words."""
        done = [f"shorten {self.shorten}"] if self.shorten != NOTHING else []
        done += ["keep the prefix"] if self.keep else []
        done += ["batch"] if self.batch else []
        return " + ".join(done) or "as it is"

    @property
    def acts(self) -> int:
        """How much it does; of two that cost the same the one that does less is taken."""
        return (self.shorten != NOTHING) + self.keep + self.batch


@dataclass(frozen=True, slots=True)
class Decision:
    """The best way and all that were weighed, the best first; the last of a tie does more."""

    ways: tuple[Way, ...]
    as_it_is: Way

    @property
    def best(self) -> Way:
        """The way to take."""
        return self.ways[0]

    @property
    def told(self) -> str:
        """What each way costs, the best first; of the same call and those expected after it."""
        return " | ".join(
            f"{way.name}: {way.wh:.3g} Wh" + (f", {way.usd:.3g} USD" if way.usd is not None else "")
            for way in self.ways
        )


def situation_of(call: Call, **known: Any) -> Situation:
    """What a call itself tells: its last turn is the tail, all before it the prefix.

    `known` are the fields of a `Situation` that a call cannot tell, such as `held` and `can_wait`.
    Tokens are estimated by bytes.
    """
    seen = call.dialect.view(call)
    last = seen.turns[-1].texts if seen.turns else ()
    tail = sum(len(text.text.encode(errors="replace")) for text in last)
    all_of_it = len(orjson.dumps(seen.tools)) if seen.tools else 0
    all_of_it += sum(len(text.text.encode(errors="replace")) for text in seen.texts)
    told = {
        "prefix": (all_of_it - tail) // _BYTES_PER_TOKEN,
        "tail": max(1, tail // _BYTES_PER_TOKEN),
        "written": seen.limit or _WRITTEN,
        "marks": call.dialect.marks is not None,
    }
    return Situation(**{**told, **known})


def decide(call: Situation, price: Price | None, energy: Energy) -> Decision:
    """Price every way that is open to a call, and choose."""
    ways = list(_ways(call, price, energy))
    plain = next(way for way in ways if not way.batch and way.shorten == NOTHING and not way.keep)
    if not call.marks:  # the provider keeps what it sees, marked or not
        plain = next(way for way in ways if not way.batch and way.shorten == NOTHING)
    ranked = sorted(ways, key=lambda way: (round(_score(way, plain), 9), way.acts))
    return Decision(tuple(ranked), plain)


def _score(way: Way, plain: Way) -> float:
    energy = way.wh / plain.wh if plain.wh else 1.0
    if way.usd is None or not plain.usd:
        return energy
    return (way.usd / plain.usd + energy) / 2


def _ways(call: Situation, price: Price | None, energy: Energy) -> Iterator[Way]:
    shortenings = [NOTHING]
    shortenings += [TAIL] if call.shorter_tail > 0 else []
    shortenings += [ALL] if call.shorter_prefix > 0 else []
    for shorten, batch in product(shortenings, (False, True) if call.can_wait else (False,)):
        for keep in _keeping(call, price, shorten):
            now = _tokens(call, shorten, _held(call, shorten, batch=batch), keep=keep)
            later = _tokens(call, shorten, 1.0, keep=keep) if call.again else None
            wh = energy(now)
            wh += call.again * energy(later) if later is not None else 0.0
            wh += call.effort * (1 + call.again) if shorten != NOTHING else 0.0
            usd = None
            if price is not None:
                usd = price.cost(now, batched=batch).amount
                if later is not None:
                    usd += call.again * price.cost(later, batched=batch).amount
            yield Way(shorten, keep and call.marks, batch, now, wh, usd)


def _keeping(call: Situation, price: Price | None, shorten: str) -> tuple[bool, ...]:
    """Whether the prefix is kept: asked for, or done by the provider where it is long enough."""
    length = _prefix(call, shorten)
    if length == 0 or (price is not None and length < price.minimum):
        return (False,)
    return (False, True) if call.marks else (True,)


def _held(call: Situation, shorten: str, *, batch: bool) -> float:
    """How likely the provider holds the prefix as it is sent."""
    is_same = (shorten == ALL) == call.was_shorter
    return call.held * is_same * (_FOUND_BY_BATCH if batch else 1.0)


def _prefix(call: Situation, shorten: str) -> int:
    return round(call.prefix * (1 - call.shorter_prefix)) if shorten == ALL else call.prefix


def _tokens(call: Situation, shorten: str, held: float, *, keep: bool) -> Tokens:
    """What a call takes on the average, where its prefix is held with this probability."""
    prefix = _prefix(call, shorten)
    tail = call.tail if shorten == NOTHING else round(call.tail * (1 - call.shorter_tail))
    if not keep:
        return Tokens(prefill=prefix + tail, decode=call.written)
    read = round(prefix * held)
    return Tokens(tail, read, prefix - read, decode=call.written)
