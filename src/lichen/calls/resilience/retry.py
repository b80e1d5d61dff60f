"""Retry: whether a call may be sent once more, and how long to wait before.

    pause ~ U(0, min(longest, first · 2ⁿ))        n = retries before [-], full jitter
    pause = what the upstream asks, where it asks

Only what is safe to repeat is sent again: a connection that could not be made, and answers by which
the upstream says that it did not work on the call. An answer of which a byte has come is never
repeated, nor is one that took too long: the model may have worked all the time.

The extra load is bounded by a budget: each call earns a tenth of a retry, each retry spends one,
and no more than a few are ever saved up. So an upstream in trouble gets at most a tenth more.
Clients that try again by themselves say so (x-stainless-retry-count), and what they repeat is not
repeated here once more.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter);
Google, "Site Reliability Engineering", chapter 21 (retry budgets of 10 %); RFC 9110 §15.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from lichen.calls.resilience.outcome import out_of_money
from lichen.ledger.errors import NotAsked, UpstreamError

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer, Exchange

# Statuses by which an upstream says that it did not take the call, or not now.
# Source: RFC 9110 §15.5.9, §15.6.3 to §15.6.5; RFC 6585 §4 (429); Anthropic API reference (529).
REPEATABLE = frozenset((408, 429, 502, 503, 504, 529))
# What a call earns, and what may be saved up. [retry]
_EARNED, _SAVED = 0.1, 10.0


class Budget:
    """Bounds the retries to a share of the calls: a bucket of tokens, each worth one retry."""

    def __init__(self, *, earned: float = _EARNED, saved: float = _SAVED) -> None:
        self._earned, self._saved = earned, saved
        self.left = saved

    def earn(self) -> None:
        """A call is sent for the first time."""
        self.left = min(self._saved, self.left + self._earned)

    def spend(self) -> bool:
        """Take a retry's worth; False where there is none left."""
        # Ten tenths are a little less than one.
        if self.left < 1 - 1e-9:
            return False
        self.left -= 1
        return True


def may_repeat(outcome: Answer | UpstreamError) -> bool:
    """Whether sending the call again is safe, and may help.

    Error answers must have been read whole; x-should-retry is what OpenAI's own clients heed.
    """
    if isinstance(outcome, UpstreamError):
        return not (outcome.sent or isinstance(outcome, NotAsked))
    said = dict(outcome.headers).get(b"x-should-retry")
    if outcome.stream is not None or said == b"false":
        return False
    return outcome.status in REPEATABLE and not out_of_money(outcome)


def repeats_itself(exchange: Exchange) -> bool:
    """Whether the client is already at a retry of its own."""
    return any(
        name == b"x-stainless-retry-count" and value.strip() not in (b"", b"0")
        for name, value in exchange.headers
    )


def jittered(before: int, *, first: float, longest: float) -> float:
    """A pause after `before` retries [s]: anything up to a bound that doubles each time."""
    bound: float = min(longest, first * 2 ** min(before, 30))
    return random.uniform(0, bound)  # noqa: S311 (no secret)
