"""Outcome: what one try says of the upstream, and what is said to the client in its place.

    an answer ≤ 499     the upstream works           429: it refuses this key and model (a storm)
    500                 a fault on one call: says nothing of the next one
    502, 503, 504, 529  the upstream fails           as do no connection and no answer in time

Source: RFC 9110 §15; RFC 6585 §4 (429); Anthropic API reference, "Errors" (529).
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.calls.resilience.waits import asked_wait
from lichen.ledger.errors import NotAsked, UpstreamError

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer

_TOO_MANY = 429
# A fault on one call: it says nothing of the next one.
_FAULT = 500
# Answers by which an upstream as a whole is known to fail, and those that a standby may mend.
_DOWN = frozenset((502, 503, 504, 529))
_MENDABLE = _DOWN | {408, _TOO_MANY, _FAULT}
# A 429 that no waiting mends: the account has no money left.
# Source: OpenAI API reference, error codes ("insufficient_quota").
_BROKE = b"insufficient_quota"


def out_of_money(answer: Answer) -> bool:
    """Whether a refusal says that the account is used up."""
    return answer.status == _TOO_MANY and _BROKE in answer.body


def judged(outcome: Answer | UpstreamError | None, *, is_storm: bool) -> bool | None:
    """Whether an outcome speaks for (True) or against (False) the upstream, or says nothing."""
    if outcome is None or isinstance(outcome, NotAsked):
        return None
    if isinstance(outcome, UpstreamError):
        return None if is_storm else False
    if is_storm:
        refused = outcome.status == _TOO_MANY and not out_of_money(outcome)
        return False if refused else outcome.ok or None
    return None if outcome.status == _FAULT else outcome.status not in _DOWN


def wait_of(outcome: Answer | UpstreamError | None) -> float | None:
    """How long the upstream wants to be left alone [s]; None where it does not say."""
    if outcome is None or isinstance(outcome, UpstreamError) or outcome.ok:
        return None
    return asked_wait(outcome.headers, datetime.now(UTC))


def held_back(wait: float, *, is_storm: bool) -> NotAsked:
    """What is said to a client whose call is held back for a `wait` [s], or a little more."""
    # Spread, so that those who keep to it do not come back all at once.
    wait *= random.uniform(1, 1.5)  # noqa: S311 (no secret)
    if is_storm:
        return NotAsked(
            "the upstream refuses calls with this key for this model, so lichen holds them back; "
            f"send the call again in {wait:.0f} s",
            status=_TOO_MANY,
            code="upstream_rate_limited",
            wait_s=wait,
        )
    return NotAsked(
        "the upstream keeps failing, so lichen does not ask it just now; send the call again in "
        f"{wait:.0f} s",
        status=503,
        code="upstream_failing",
        wait_s=wait,
    )


def is_mendable(outcome: Answer | UpstreamError) -> bool:
    """Whether another upstream may do better: never with what is the client's fault."""
    if isinstance(outcome, UpstreamError):
        return True
    return outcome.status in _MENDABLE and not out_of_money(outcome)


def gap_of(outcome: Answer | UpstreamError) -> str:
    """What the upstream may have used before the standby was asked; empty where it was not."""
    if isinstance(outcome, NotAsked):
        return ""
    if isinstance(outcome, UpstreamError):
        return f"upstream-failed:{outcome.code}"
    return f"upstream-answered:{outcome.status}"
