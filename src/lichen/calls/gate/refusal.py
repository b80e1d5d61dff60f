"""Refusal: what a client is told that may not go on, in its provider's shape and headers.

    429   over budget: retry-after [s], and when the budget begins anew, as its clients read it
    4xx   a rule refuses: its message

`x-should-retry: false` keeps the official OpenAI and Anthropic clients from sending the call again
before it can succeed; they wait for `retry-after` only where that is a minute or less.

Source: OpenAI API, "Rate limits in headers"; Anthropic API, "Response headers"; the official
clients' own retry rules (`x-should-retry`), 2026-11.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer

if TYPE_CHECKING:
    from lichen.calls.exchange import Call, Headers
    from lichen.calls.gate.budgets import Line, Over
    from lichen.calls.gate.rulebook import Met

_JSON = (b"content-type", b"application/json")
# What every answer of the gate says of where it is from.
FROM_GATE = (b"x-lichen-cache", b"gate")
_OVER_BUDGET = 429
# Up to here clients may wait by themselves. [s]
_PATIENCE_S = 60


def over_budget(call: Call, over: Over, left: float) -> Answer:
    """The answer to a call that a budget has no room for; `left` is when it begins anew [s]."""
    budget, wait = over.budget, ceil(left)
    message = told_over(over, left)
    left_now = max(0.0, budget.limit - over.charged)
    unit = "tokens" if budget.of == "tokens" else budget.of
    headers: Headers = [
        _JSON,
        (b"retry-after", b"%d" % wait),
        (f"x-ratelimit-limit-{unit}".encode(), _amount(budget.limit).encode()),
        (f"x-ratelimit-remaining-{unit}".encode(), _amount(left_now).encode()),
        (f"x-ratelimit-reset-{unit}".encode(), _duration(wait).encode()),
        (b"x-lichen-budget", note(budget.name, over.charged / budget.limit, wait)),
    ]
    if wait > _PATIENCE_S:
        headers.append((b"x-should-retry", b"false"))
    body = call.dialect.error_body(_OVER_BUDGET, message, "over_budget")
    return Answer(_OVER_BUDGET, headers, body, source="gate")


def told_over(over: Over, left: float) -> str:
    """Which budget is over, by how much, and when it begins anew: in `left` [s]."""
    budget = over.budget
    reset = datetime.fromtimestamp(over.end, UTC)
    message = (
        f"over budget {budget.name!r}: {_amount(over.charged)} of {_amount(budget.limit)} "
        f"{budget.unit} {budget.period} are used, and this call is estimated at "
        f"{_amount(over.expected)}. It begins anew at {reset:%Y-%m-%dT%H:%M:%SZ}, in "
        f"{_duration(ceil(left))}"
    )
    if over.expected > budget.limit:
        message += "; but this call alone is larger: ask for less, or bound its max_tokens"
    return message


def note(name: str, used: float, reset: float) -> bytes:
    """How much of a budget is used [1] and when it begins anew [s], as a header's value."""
    return b"%b; used=%.3g; reset=%d" % (name.encode(), used, reset)


def warning(line: Line, used: float, now: float) -> tuple[bytes, bytes]:
    """The header of an answer whose budget is past its soft limit."""
    return b"x-lichen-budget", note(line.purse.budget.name, used, max(1, ceil(line.end - now)))


def by_rule(call: Call, met: Met, status: int) -> tuple[Headers, bytes]:
    """Headers and body of a rule's refusal."""
    rule = met.ready.rule
    said = met.text if met.ready.template is not None else _MESSAGES[rule.asks].format(**met.groups)
    headers: Headers = [_JSON, FROM_GATE, (b"x-lichen-gate", rule.name.encode())]
    return headers, call.dialect.error_body(status, said, f"gate_{rule.asks or 'rule'}")


# What is said where a rule says nothing.
_MESSAGES = {
    "empty": "the last message is empty: say what is wanted",
    "longer": (
        "the input is about {tokens} tokens long (estimated), and {limit} are allowed: send less"
    ),
}


def _amount(value: float) -> str:
    return f"{value:,.0f}".replace(",", "") if value >= 1000 else f"{value:.4g}"  # noqa: PLR2004 (for reading)


def _duration(seconds: int) -> str:
    """A time as OpenAI's headers have it: 1h2m3s."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if minutes or hours else "", f"{left}s")
    return "".join(parts)
