"""Intake: from a call with the header x-lichen-defer to an item of the queue.

    x-lichen-defer: 6h                      answered within six hours
    x-lichen-defer: 2026-11-26T06:00:00Z    answered by then

What is stored of a call is its target, its body and its headers, without any credential. A header,
or something in the query, that is not known to be harmless is refused, since it would have to be
written down: see `lichen.calls.batch.stored`.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from lichen.calls.batch.item import Item
from lichen.calls.batch.stored import KEY, Unstorable, check_query, stored_headers
from lichen.calls.exchange import CREDENTIALS
from lichen.calls.option import TIMES

if TYPE_CHECKING:
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.exchange import Exchange, Headers

DEFER = b"x-lichen-defer"
SECOND_US = 1_000_000
_LONGEST_KEY = 255
_WAY_OUT = "write it as 90s, 30m, 6h, 1d, or as a time with its zone: 2026-11-26T06:00:00Z"


class Refused(Exception):  # noqa: N818 (named for what happened)
    """A call that cannot wait: the status and code of what its caller is told."""

    def __init__(self, message: str, code: str, status: int = 400) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def wish(headers: Headers) -> bytes | None:
    """What the header says, None where there is none."""
    for name, value in headers:
        if name == DEFER:
            return value
    return None


def new_id(prefix: str) -> str:
    """An id that nobody can guess."""
    return f"{prefix}{secrets.token_hex(16)}"


def deadline_of(said: bytes, now_us: int, longest_s: float, name: str = "x-lichen-defer") -> int:
    """The deadline that a header asks for, or a field of that name. [µs since 1970]

    Raises:
        Refused: it says nothing sensible, is past, or too far off.
    """
    text = said.decode("latin-1").strip()
    after_us = _span_us(text, name)
    if after_us is None:
        after_us = _moment_us(text, name) - now_us
    if after_us <= 0:
        raise Refused(f"{name}: {text!r} is not to come: {_WAY_OUT}", "bad_deadline")
    if after_us > longest_s * SECOND_US:
        raise Refused(
            f"{name}: {text!r} is farther off than this service keeps calls, "
            f"{longest_s / 3600:g} h: ask for less, or raise LICHEN_BATCH_LONGEST",
            "bad_deadline",
        )
    return now_us + after_us


def _span_us(text: str, name: str) -> int | None:
    unit = next((u for u in sorted(TIMES, key=len, reverse=True) if text.endswith(u)), "")
    digits = text.removesuffix(unit).strip()
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", digits):
        return None
    if not unit:  # who writes 6 seldom means the six seconds that other headers would take it for
        raise Refused(f"{name}: {text!r} has no unit: {_WAY_OUT}", "bad_deadline")
    return int(float(digits) * TIMES[unit] * SECOND_US)


def _moment_us(text: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{name}: {text!r} is no time: {_WAY_OUT}", "bad_deadline") from None
    if moment.tzinfo is None:
        raise Refused(f"{name}: {text!r} has no time zone: {_WAY_OUT}", "bad_deadline")
    try:
        return int(moment.timestamp() * SECOND_US)
    except (OverflowError, OSError):
        raise Refused(f"{name}: {text!r} is no time: {_WAY_OUT}", "bad_deadline") from None


def kept_headers(exchange: Exchange, options: BatchOptions) -> Headers:
    """The headers of a call that are stored with it: no credential, none of one connection.

    Raises:
        Refused: one of them, or something in the query, is not known to be harmless.
    """
    try:
        check_query(exchange.target, options.query)
        return stored_headers(exchange.headers, options.headers)
    except Unstorable as unstorable:
        raise Refused(str(unstorable), unstorable.code) from None


def item_of(exchange: Exchange, now_us: int, options: BatchOptions, *, keyless: bool) -> Item:
    """The item of a call that asks to wait; `keyless`: the upstream needs no caller's credential.

    Raises:
        Refused: it cannot wait, and why.
    """
    said = wish(exchange.headers)
    assert said is not None
    _can_wait(exchange, options)
    item_id = new_id("dfr_")
    given = dict(exchange.headers).get(KEY, b"").decode("latin-1")
    if len(given) > _LONGEST_KEY:
        raise Refused(
            f"an Idempotency-Key may have {_LONGEST_KEY} characters, this one has {len(given)}",
            "bad_idempotency_key",
        )
    has_key = any(name in CREDENTIALS for name, _ in exchange.headers)
    return Item(
        id=item_id,
        tenant=exchange.tenant,
        target=exchange.target,
        headers=kept_headers(exchange, options),
        body=exchange.body,
        key=given or f"lichen-{item_id}",
        needs_key=has_key and not keyless,
        arrived_us=now_us,
        deadline_us=deadline_of(said, now_us, options.longest),
    )


def _can_wait(exchange: Exchange, options: BatchOptions) -> None:
    call = exchange.call
    if call is None or exchange.method != "POST":
        raise Refused(
            f"only calls to a model can wait, and {exchange.method} {exchange.target} is none that "
            "lichen reads: send it without x-lichen-defer",
            "cannot_wait",
        )
    if call.stream:
        raise Refused(
            "a stream cannot wait, since nobody would read it: leave out stream, and the answer "
            "comes whole",
            "cannot_wait",
        )
    if len(exchange.body) > options.item_limit:
        raise Refused(
            f"a call that waits may have {options.item_limit:.0f} bytes, this one has "
            f"{len(exchange.body)}: raise LICHEN_BATCH_ITEM_LIMIT",
            "too_long_to_wait",
            413,
        )
