"""Attempt: one sending of an item, and what becomes of it.

an answer                   the end, if it is one that stands (2xx, 4xx)
408, 409, 425, 429, 5xx     again, after Retry-After or a growing pause, while there is time
no answer                   again, with the same key; it may have been sent twice
"""

from __future__ import annotations

import math
import random
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from lichen.calls.batch.item import Outcome, State
from lichen.calls.batch.stored import answered_headers
from lichen.calls.providers.doors import door_of
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lichen.calls.batch.item import Item
    from lichen.calls.exchange import Answer, Headers

    Send = Callable[[Item], Awaitable[Answer]]

SECOND_US = 1_000_000
# Answers that another attempt may better.
# Source: RFC 9110 §15.5.9, §15.6; RFC 6585 §4; RFC 8470; the official OpenAI client's own retries.
_AGAIN = frozenset((408, 409, 425, 429))
_SERVER = 500
# Sources of answers that were computed for this call.
_COMPUTED = frozenset(("upstream", "cascade"))
_FIRST_S, _MOST_S = 1.0, 300.0
_JSON = (b"content-type", b"application/json")


async def attempt(
    item: Item, send: Send, now_us: Callable[[], int], also: Sequence[str] = ()
) -> Outcome:
    """Send an item, and say what became of it; `also` are headers of answers that are kept too."""
    try:
        answer = await send(item)
        body = await _whole(answer)
    except UpstreamError as error:
        dialect = door_of(item.target.encode("latin-1")).dialect
        told = dialect.error_body(error.status, str(error), error.code)
        headers = [_JSON]
        if error.wait_s:
            headers.append((b"retry-after", b"%d" % math.ceil(error.wait_s)))
        return _later(item, (error.status, headers, told), error.code, now_us(), unsure=error.sent)
    headers = answered_headers([*answer.headers, *answer.notes], also)
    if answer.status in _AGAIN or answer.status >= _SERVER:
        came = (answer.status, headers, body)
        return _later(item, came, f"status {answer.status}", now_us(), unsure=False)
    state = State.ANSWERED if answer.ok else State.FAILED
    # What came from a store, or from a call that another paid for, took nothing of this one's.
    record = answer.record if answer.ok and answer.source in _COMPUTED else None
    return Outcome(
        id=item.id,
        state=state,
        status=answer.status,
        headers=headers,
        body=body,
        record=record,
    )


async def _whole(answer: Answer) -> bytes:
    if answer.stream is None:
        return answer.body
    async with aclosing(answer.stream) as chunks:
        return b"".join([chunk async for chunk in chunks])


def _later(
    item: Item, came: tuple[int, Headers, bytes], why: str, now_us: int, *, unsure: bool
) -> Outcome:
    """Again, if that is before the deadline; else this is its answer."""
    status, headers, body = came
    wait_s = retry_after_s(headers, now_us)
    if wait_s is None:
        # Grows with each attempt, and differs so that calls do not come back all at once.
        wait_s = min(_FIRST_S * 2 ** min(item.attempts, 12), _MOST_S) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
    again_us = now_us + int(wait_s * SECOND_US)
    if again_us >= item.deadline_us:
        return Outcome(
            id=item.id,
            state=State.FAILED,
            status=status,
            headers=headers,
            body=body,
            error=why,
            unsure=unsure,
        )
    return Outcome(
        id=item.id,
        state=State.WAITING,
        status=status,
        error=why,
        again_us=again_us,
        unsure=unsure,
    )


def retry_after_s(headers: Headers, now_us: int) -> float | None:
    """What a Retry-After header asks for, None where there is none that can be read. [s]

    Source: RFC 9110 §10.2.3; retry-after-ms is OpenAI's.
    """
    named = dict(headers)
    if (ms := named.get(b"retry-after-ms", b"")).isdigit():
        return float(ms) / 1000
    said = named.get(b"retry-after", b"").decode("latin-1").strip()
    if said.replace(".", "", 1).isdigit():
        return float(said)
    if not said:
        return None
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - now_us / SECOND_US)
    except (ValueError, TypeError):
        return None
